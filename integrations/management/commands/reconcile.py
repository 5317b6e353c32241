"""`reconcile [ORDER...] [--since DATE] [--fix [--reason TEXT]] [--numbers FILE] [--file F.csv --as-of MOMENT]`.

Compares our records with the big-data side's records, which are queried or read from a file.
"""

import datetime
import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import override

from integrations.bboss.order_fields import ORDER_NUMBER
from integrations.bigdata.reconciliation import Comparison, Scope
from integrations.bigdata.record_file import RecordFile
from orders.actions.all_actions import DECISIONS
from orders.actions.run_action import needs_second
from orders.books.books import RecordFileError, has_look_up
from orders.management.arguments import actor, add_by, add_file, check_file, day
from orders.management.order_command import (
    ASKED,
    add_emergency,
    asked_by_command,
    known_orders,
    note_emergency,
    say_asked,
)
from orders.management.progress import Progress
from orders.models import Difference, Order
from orders.pauses.paused_steps import why_paused
from orders.texts.error_messages import say_why_in_english
from orders.texts.secrets_in_text import without_named_secrets

NAMED = 3  # orders that note_comparison lists


class Command(BaseCommand):
    """Prints each difference and the action taken.

    Exits with 1 if there is a difference, or if the big-data side did not answer for an order.
    """

    help = "Compares our billing records with those of the big-data side, for the named orders or all."

    def add_arguments(self, parser):
        parser.add_argument("order", nargs="*", help="order numbers; none: all")
        parser.add_argument("--since", type=day, help="only orders received on this day or later, YYYY-MM-DD")
        parser.add_argument("--fix", action="store_true", help="sends what is missing, deletes what must not be there")
        parser.add_argument(
            "--reason",
            type=without_named_secrets,
            default="",
            help="with --fix and order numbers: also deletes what we lack of orders that stand",
        )
        parser.add_argument(
            "--numbers", metavar="FILE", help="BBOSS's order numbers, one a line: names those that one side lacks"
        )
        add_file(parser)
        add_emergency(parser)
        add_by(parser)

    def handle(self, *args, order, since, fix, reason, numbers, by, emergency=False, file=None, as_of=None, **options):
        check_file(file, as_of)
        if file and fix:
            raise CommandError("--file only compares: what --fix sends needs the big-data side's own answer")
        if not (file or has_look_up()):
            raise CommandError("the big-data side offers no look-up: compare with --file F.csv --as-of MOMENT")
        second = fix and needs_second(DECISIONS["fix"])
        check_arguments(order, fix=fix, reason="" if second and emergency and not order else reason)
        if second and not (reason.strip() and (order or emergency)):
            raise CommandError(
                "a second person must confirm --fix: name the orders and give a --reason, or --emergency"
            )
        asks, self.differing = second and not emergency, dict[str, None]()
        if not file and (why := why_paused("bigdata", now=timezone.now())):
            raise CommandError(f"nothing was compared: {why}")
        listed = read_numbers(numbers) if numbers else None
        records = read_records(file) if file else None
        if second and emergency:
            note_comparison(order, by=actor(by), reason=reason, now=timezone.now())
        scope, self.fix = Scope(numbers=tuple(order), since=since), fix and not asks
        with Progress(self.stderr, "orders", scope.orders().count) as self.bar:
            run = Comparison(
                scope,
                by=actor(by),
                fix=self.fix,
                reason=reason.strip() if order and self.fix else "",
                listed=listed,
                file=records,
                as_of=as_of,
                on_difference=self.show,
                on_left=self.show_left,
                on_compared=self.bar.update,
            )
            row = run.run()
        self.stdout.write(
            f"{row.orders} orders, {row.records} records: {row.differences} differences, {row.fixed} put right, "
            f"{run.tally.skipped} orders left out with steps under way"
        )
        if row.error:
            raise CommandError(row.error)
        if asks and self.differing:
            self.ask(by=by, reason=reason)
        if row.differences:
            raise CommandError(f"{row.differences} differences")

    def ask(self, *, by: str | None, reason: str) -> None:
        """Requests a second person's approval for each order that differs. Exits with 3. Raises CommandError if a
        request could not be created."""
        refused = []
        for number in self.differing:
            try:
                row = asked_by_command(DECISIONS["fix"], number, by=by, reason=reason, now=timezone.now(), more={})
            except CommandError as error:
                refused.append(f"{number}: {error}")
            else:
                say_asked(self, number, row)
        if refused:
            raise CommandError("\n".join(refused))
        sys.exit(ASKED)

    def show(self, difference: Difference) -> None:
        if difference.order_id:
            self.differing[difference.order.number] = None
        with override("en"):
            what = difference.get_kind_display()
        name = " ".join(filter(None, [difference.job_id, difference.product_id, difference.domain]))
        detail = difference.detail
        line = f"{name}: {what}: ours {detail['ours']}, theirs {detail['theirs']}"
        fields = "".join(f"; {field}: {_compared(*pair)}" for field, pair in detail.get("fields", {}).items())
        held = "".join(f"; {field} {value}" for field, value in detail.get("held", {}).items())
        self.say(line + fields + held + self.done(difference))

    def done(self, difference: Difference) -> str:
        if difference.fix_id:
            return f" -> queued: {difference.fix.step}"
        if difference.state == Difference.State.OVER:
            return f" -> settled: {difference.detail['theirs']}"
        left = difference.detail.get("left")
        return f" -> left: {say_why_in_english(left)}" if left and self.fix else ""

    def show_left(self, number: str, left: dict, compared: bool) -> None:
        what = "compared, but nothing of it is put right" if compared else "left out"
        self.say(f"{number}: {what}: {say_why_in_english(left)}")

    def say(self, line: str) -> None:
        with self.bar.aside():
            self.stdout.write(line)


def _compared(ours: str | None, theirs: str | None) -> str:
    return f"theirs {theirs}" if ours is None else f"ours {ours}, theirs {theirs}"


def check_arguments(numbers: list[str], *, fix: bool, reason: str) -> None:
    """Raises CommandError for unknown orders and invalid combinations of arguments, before any query."""
    known = known_orders(numbers)
    if changes := [number for number in numbers if known[number].kind == Order.Kind.CHANGE]:
        raise CommandError(f"a trial change has no records of its own, name its trial: {', '.join(changes)}")
    if reason and not (fix and numbers):
        raise CommandError("--reason goes with --fix and with the numbers of the orders that it is about")
    if reason and not reason.strip():
        raise CommandError("the reason is empty")


def note_comparison(numbers: list[str], *, by: str, reason: str, now: datetime.datetime) -> None:
    """Records the emergency before the comparison starts, because the comparison fixes differences in many
    transactions."""
    order = known_orders(numbers)[numbers[0]] if len(numbers) == 1 else None
    subject = ", ".join(numbers[:NAMED]) or "reconcile --fix"
    note_emergency(DECISIONS["fix"], order, subject=subject, by=by, reason=reason, now=now)


def read_records(path: Path) -> RecordFile:
    """Returns the checked file of the big-data side's records. Raises CommandError."""
    try:
        return RecordFile(path)
    except RecordFileError as error:
        raise CommandError(str(error)) from error


def read_numbers(path: str) -> list[str]:
    """Returns the order numbers in a UTF-8 file, each once, in file order. Ignores blanks. Raises CommandError."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text in UTF-8"
        raise CommandError(f"{path}: {why}") from error
    numbers: dict[str, None] = {}
    for place, line in enumerate(lines, start=1):
        number = line.strip()
        if number and not ORDER_NUMBER.fullmatch(number):
            raise CommandError(f"{path}: line {place} is no order number: {number[:80]!r}")
        if number:
            numbers[number] = None
    if not numbers:
        raise CommandError(f"{path}: it holds no order numbers")
    return list(numbers)
