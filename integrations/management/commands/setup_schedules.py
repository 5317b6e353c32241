"""`setup_schedules`: sets up the queue's recurring schedules (contract section 5)."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from integrations.models import HEARTBEAT_LIMIT
from integrations.worker.heartbeat import forget_dead
from integrations.worker.recurring_schedules import RECURRING, make_schedules


class Command(BaseCommand):
    """Creates missing schedules, repairs changed schedules, and removes rows of dead clusters. Idempotent."""

    help = "Makes the recurring schedules, the sweep each minute; removes heartbeats and pings of dead clusters."

    def handle(self, *args, **options):
        changed = make_schedules()
        forget_dead(now=timezone.now(), after=HEARTBEAT_LIMIT)
        self.stdout.write(f"{len(RECURRING)} schedules: {', '.join(RECURRING)}; {len(changed)} made or mended")
