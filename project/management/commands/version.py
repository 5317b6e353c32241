"""`version`: replaces Django's command of this name. It reads neither settings nor database, so it always works."""

import platform

import django
from django.core.management.base import BaseCommand

from project import __version__


class Command(BaseCommand):
    help = "Says which version of the desk this is, and of Django and Python."
    requires_system_checks = []

    def handle(self, *args, **options):
        self.stdout.write(f"IBS Order Desk {__version__}")
        self.stdout.write(f"Django {django.get_version()}")
        self.stdout.write(f"Python {platform.python_version()}")
