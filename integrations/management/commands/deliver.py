"""`deliver`: delivers due steps, in the foreground (contract section 5)."""

import datetime
import time

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.base.other_desk import why_other_desk
from integrations.delivery.loop import CALLS_AT_A_TIME, DrainReport, drain
from orders.intake.replan_held_orders import settle_arrived
from orders.management.progress import Progress
from orders.models import Dispatch
from orders.outbox.release_steps import release
from orders.pauses.pause_and_resume import end_pauses
from orders.pauses.paused_steps import pauses_in_force, say_paused, steps
from orders.sending.claim import next_due
from orders.sending.mail_claim_and_record import next_mail_due
from orders.start_day.start_day import activate

SOON = datetime.timedelta(seconds=5)


class Command(BaseCommand):
    help = "Delivers all that is due now; --until-idle also waits for what is due within the next seconds."

    def add_arguments(self, parser):
        parser.add_argument("--until-idle", action="store_true", help="until nothing is due or about to be")
        parser.add_argument("--workers", type=int, default=CALLS_AT_A_TIME, help="calls at a time for each partner")

    def handle(self, *args, until_idle, workers, **options):
        if not 1 <= workers <= 64:
            raise CommandError("--workers must be between 1 and 64")
        if why := why_other_desk():
            raise CommandError(f"{why}: `settings --adopt` makes this process's values the desk's")
        self.tried = self.done = self.failed = 0
        with Progress(self.stderr, "calls") as self.bar:
            self.deliver(workers)
            while until_idle and (soon := self.next_due()):
                time.sleep(max(0.0, (soon - timezone.now()).total_seconds() + 0.01))
                if timezone.now() < soon:  # avoids an endless loop if the clock does not advance
                    break
                self.deliver(workers)
        self.stdout.write(f"{self.tried} attempts, {self.done} steps done, {self.failed} refused")
        for row in pauses_in_force(now=timezone.now()):
            if row.waiting:
                self.stdout.write(f"{say_paused(row.pause)}: {steps(row.waiting)}")

    def next_due(self) -> datetime.datetime | None:
        now = timezone.now()
        soon = {"after": now, "until": now + SOON}
        return min(filter(None, (next_due(**soon), next_mail_due(**soon))), default=None)

    def deliver(self, workers: int) -> None:
        now = timezone.now()
        end_pauses(now=now)
        settle_arrived(now=now)
        activate(numbers=None, by="command:deliver", now=now)
        release(now=now)
        self.total = self.tried + Dispatch.objects.due(now).count()
        report = drain(seconds=None, linger=False, threads=workers, on_progress=self.progress)
        self.tried += report.tried
        self.done += report.done
        self.failed += report.failed

    def progress(self, report: DrainReport) -> None:
        """Advances the progress bar. If more steps become due during the drain, the total of the bar grows."""
        tried = self.tried + report.tried
        self.bar.reach(tried, max(self.total, tried))
