"""`resend`: queues failed steps again (contract section 5; 3.9, Resend)."""

import time

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.delivery.circuit_breaker import open_partners
from notifications.models import Mail
from orders.management.arguments import actor, add_by, day
from orders.management.order_command import known_orders
from orders.management.progress import Progress
from orders.models import Dispatch, OrderEvent
from orders.rules.four_eyes_acts import rows_alone
from orders.rules.local_time import midnight
from orders.rules.steps import Channel, Partner
from orders.sending.resend import LEFT_OUT, PAUSED, REFUSED, Judgement, Selection, judge_selection, resend
from orders.texts.secrets_in_text import without_named_secrets

WORDS = {
    "same": "will send",
    "new": "will send",
    "again": "will send",
    "repeat": "will send",
    "left_out": "left out",
    "blocked": "blocked by breaker",
    "paused": "will wait",
    "accepted": "already accepted",
}
# FILES and USAGE are left out, because their steps only read.
CHANNELS = [channel for channel in Channel.values if channel not in {Channel.FILES, Channel.USAGE}]
NO_REASON = "command line"
WAIT_AT_MOST = 120.0


def check_alone(selection: Selection, *, by: str, force: bool) -> None:
    """Raises CommandError if the number of orders resent today needs a second person (FOUR_EYES, bulk:N).

    A single order that is given by number never needs a second person. The same holds on the order's page.
    """
    most = rows_alone()
    if most is None or len(selection.numbers) == 1:
        return
    today = OrderEvent.objects.filter(actor=by, kind="resend", order__isnull=False)
    today = today.filter(at__gte=midnight(timezone.localdate()))
    judged = judge_selection(selection, force=force, open_partners=open_partners())
    orders = {row.order for row in judged if row.sends}
    if today.count() + len(orders) > most:
        raise CommandError(f"more than {most} orders a day need a second person (FOUR_EYES): take the list's page")


class Command(BaseCommand):
    help = "Queues failed steps again; refuses what already succeeded unless --force."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="order numbers; none: a filter must say which")
        parser.add_argument("--channel", choices=CHANNELS, default="")
        parser.add_argument("--failed", action="store_true", help="only steps that failed")
        parser.add_argument("--since", type=day, help="only steps made on this day or later, YYYY-MM-DD")
        parser.add_argument("--partner", choices=Partner.values, default="")
        parser.add_argument("--force", action="store_true", help="also what was accepted already, once more")
        parser.add_argument("--reopen", action="store_true", help="lets a filter open compensated orders too")
        parser.add_argument("--new", action="store_true", help="steps in doubt: they did nothing, so under a new key")
        parser.add_argument("--dry-run", action="store_true", help="says what would happen, and does nothing")
        parser.add_argument("--wait", action="store_true", help="waits for the result")
        parser.add_argument("--reason", type=without_named_secrets, default=NO_REASON)
        add_by(parser)

    def handle(self, *args, order, dry_run, force, wait, by, reason, **options):
        selection = self.selection(order, options | {"force": force, "reason": reason})
        if not dry_run:
            check_alone(selection, by=actor(by), force=force)
        how = {"by": actor(by), "reason": reason, "now": timezone.now(), "force": force, "dry_run": dry_run}
        with Progress(self.stderr, "orders") as bar:
            judged = resend(selection, **how, open_partners=open_partners(), on_progress=bar.reach).judgements
        for row in judged:
            self.stdout.write(f"{row.order}{f' {row.step}' if row.step != '-' else ''}: {self.said(row)}")
        if not judged:
            self.stdout.write("nothing failed that fits")
        sent = [row for row in judged if row.sends]
        left_out = sum(row.verdict == LEFT_OUT for row in judged)
        declined = len(judged) - len(sent) - left_out
        more = f", {left_out} left out" if left_out else ""
        self.stdout.write(f"{len(sent)} {'would be queued' if dry_run else 'queued'}, {declined} declined{more}")
        failed = self.wait([row for row in sent if row.verdict != PAUSED]) if wait and not dry_run else 0
        if failed or declined:
            again = f", {failed} failed again" if wait and not dry_run else ""
            raise CommandError(f"{declined} declined{again}")

    def said(self, row: Judgement) -> str:
        """Returns the verdict and the reason as a text. For our own decision the text says "not allowed", because
        "refused" means a partner's answer."""
        if row.refusal:
            return str(row.refusal)
        if row.verdict == REFUSED:
            return f"not allowed, because {row.why}"
        return f"{WORDS[row.verdict]} ({row.why})" if row.why else WORDS[row.verdict]

    def selection(self, numbers: list[str], options: dict) -> Selection:
        filters = {name: options[name] for name in ("channel", "failed", "since", "partner")}
        if not numbers and not any(filters.values()):
            raise CommandError("name orders, or give a filter: --failed, --channel, --partner, --since")
        known_orders(numbers)
        if options["new"] and (not numbers or options["force"] or options["reason"] == NO_REASON):
            raise CommandError("--new takes orders by number, with a --reason, without --force")
        return Selection(numbers=tuple(numbers), reopen=options["reopen"], anew=options["new"], **filters)

    def wait(self, sent: list[Judgement]) -> int:
        """Waits until the orders' steps and mails are finished, at most WAIT_AT_MOST seconds. Prints a result for each
        order. Returns the number of orders that failed again."""
        end, numbers = time.monotonic() + WAIT_AT_MOST, {row.order for row in sent if row.order != "-"}
        results = self.results(numbers)
        with Progress(self.stderr, "orders settled", len(results)) as bar:
            while (waiting := sum(word == "waiting" for word in results.values())) and time.monotonic() < end:
                bar.reach(len(results) - waiting)
                time.sleep(0.5)
                results = self.results(numbers)
        for number, word in sorted(results.items()):
            self.stdout.write(f"{number}: {word}")
        return sum(word == "failed again" for word in results.values())

    def results(self, numbers: set[str]) -> dict[str, str]:
        """Returns {order number: "fixed", "failed again" or "waiting"}."""
        found = {}
        for number in numbers:
            rows = Dispatch.objects.current().filter(order__number=number).exclude(state="waiting")
            mails = Mail.objects.filter(order__number=number).exclude(cause="")  # without copies
            states = {*rows.values_list("state", flat=True), *mails.values_list("state", flat=True)}
            busy = states & {"due", "sending", "retrying"}
            found[number] = "failed again" if "failed" in states else "waiting" if busy else "fixed"
        return found
