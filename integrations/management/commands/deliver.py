"""`deliver`: delivers what is due, in the foreground (contract section 5)."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.delivery import CALLS_AT_A_TIME, Report, drain
from orders.activation import activate
from orders.models import Dispatch
from orders.models.dispatch import OPEN_STATES
from orders.services import settle_arrived
from orders.services.stepping import release


class Command(BaseCommand):
    """Does what the worker does, once, with a progress line."""

    help = "Delivers all that is due now; --until-idle goes on while steps become due by it."

    def add_arguments(self, parser):
        parser.add_argument("--until-idle", action="store_true", help="until nothing is due any more")
        parser.add_argument("--workers", type=int, default=CALLS_AT_A_TIME, help="calls at a time for each partner")

    def handle(self, *args, until_idle, workers, **options):
        if not 1 <= workers <= 64:
            raise CommandError("--workers must be between 1 and 64")
        now = timezone.now()
        settle_arrived(now=now)
        activate(numbers=None, by="command:deliver", now=now)
        release(now=now)
        self.total = Dispatch.objects.filter(state__in=OPEN_STATES, next_try_at__lte=now).count()
        report = drain(seconds=None if until_idle else 8.0, linger=False, threads=workers, on_progress=self.progress)
        if self.stderr.isatty():
            self.stderr.write("")
        self.stdout.write(f"{report.tried} attempts, {report.done} steps done, {report.failed} refused")

    def progress(self, report: Report) -> None:
        """A bar on one line of a terminal; nothing where the output is kept."""
        if not self.stderr.isatty():
            return
        total = max(self.total, report.tried)
        filled = 30 * report.tried // max(total, 1)
        self.stderr.write(f"\r[{'#' * filled:30}] {report.tried}/{total}", ending="")
        self.stderr.flush()
