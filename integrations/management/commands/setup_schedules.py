"""`setup_schedules`: the recurring schedules of the queue (contract section 5)."""

from django.core.management.base import BaseCommand

from integrations.worker.schedules import RECURRING, make_schedules


class Command(BaseCommand):
    """Makes what is missing, mends what was changed; may be run as often as one likes."""

    help = "Makes the recurring schedules: the sweep each minute."

    def handle(self, *args, **options):
        changed = make_schedules()
        self.stdout.write(f"{len(RECURRING)} schedules: {', '.join(RECURRING)}; {len(changed)} made or mended")
