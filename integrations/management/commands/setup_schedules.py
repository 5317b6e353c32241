"""`setup_schedules`: sets up the queue's recurring schedules (contract section 5)."""

from django.core.management.base import BaseCommand

from integrations.worker.schedules import RECURRING, make_schedules


class Command(BaseCommand):
    """Makes missing schedules and repairs changed ones. Running it again does no harm."""

    help = "Makes the recurring schedules: the sweep each minute."

    def handle(self, *args, **options):
        changed = make_schedules()
        self.stdout.write(f"{len(RECURRING)} schedules: {', '.join(RECURRING)}; {len(changed)} made or mended")
