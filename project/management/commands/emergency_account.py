"""`emergency_account NAME`: marks an account for PASSWORD_LOGIN=emergency (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from orders.management.arguments import actor, add_by
from project.accounts.emergency_accounts import LINK_VALIDITY, mark_emergency_account
from project.models import User


class Command(BaseCommand):
    """Prints the link and stores only the hash of it. Anyone who sees the terminal can set the password."""

    help = "Marks an account that may use a password with PASSWORD_LOGIN=emergency; prints how to log in once."

    def add_arguments(self, parser):
        parser.add_argument("name", help="the account's user name")
        add_by(parser)

    def handle(self, *args, name, by, **options):
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"no account is called {name!r}")
        if not (user.is_active and user.is_staff):
            raise CommandError(f"{name} is disabled, or is no member of staff: it could not log in")
        if hasattr(user, "company"):
            raise CommandError(f"{name} belongs to a person of the company log-in: take an account of its own")
        now = timezone.now()
        with transaction.atomic():
            address = mark_emergency_account(user, by=actor(by), now=now)
            for giver in {None, User.objects.filter(username=(by or "").strip()).first()}:
                user.note_given(giver, now=now)  # the command line, and the account named by --by, are givers
        minutes = int(LINK_VALIDITY.total_seconds() // 60)
        self.stdout.write(f"{name} may log in with a password where PASSWORD_LOGIN is emergency")
        self.stdout.write(f"set its password within {minutes} minutes, once: {address}")
