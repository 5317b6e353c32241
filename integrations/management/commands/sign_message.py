"""`manage.py sign_message FILE`: prints a signed envelope around a content file, ready for curl (contract 5)."""

from django.core.management.base import BaseCommand

from integrations.bboss.sample_envelope import add_arguments, message_of


class Command(BaseCommand):
    help = "Prints a signed envelope around a content file, ready for curl."
    requires_system_checks = []

    def add_arguments(self, parser):
        add_arguments(parser)

    def handle(self, **options):
        body, kind = message_of(options)
        charset = kind.partition("charset=")[2]
        self.stdout.write(body.decode(charset))
