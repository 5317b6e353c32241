"""`stuck [--json] [--since DATE]`: lists the stuck orders, the oldest first (contract section 5)."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext_lazy

from orders.history.actors import name_of, names_read_once
from orders.incidents.stuck import BEHIND, DIFFERENCE, HELD, STATE, UNBILLED, Reason, StuckOrder, stuck
from orders.management.arguments import day
from orders.management.bilingual import in_language, with_code
from orders.models import Difference, Dispatch, Order
from orders.pauses.paused_steps import pauses_in_force, say_paused, steps
from orders.texts.incident_texts import cause_of

MAX_REASONS = 3
NOT_BILLED = gettext_lazy("the customer has service, and the big-data side has no record")
WAITS_BEHIND = gettext_lazy("waits behind the failed step of %(order)s: %(step)s")


class Command(BaseCommand):
    """Prints the stuck orders with reason and time; exits with 1 if there are any."""

    help = "Lists every order that needs somebody, held ones too where they go on by themselves, the oldest first."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")
        parser.add_argument("--since", type=day, help="only those stuck since this day or later, YYYY-MM-DD")

    def handle(self, *args, since, **options):
        rows = stuck(since)
        if options["json"]:
            self.stdout.write(json.dumps([as_json(row) for row in rows], ensure_ascii=False, indent=2))
        else:
            with names_read_once():
                for row in rows:
                    self.stdout.write(line(row))
            for row in pauses_in_force(now=timezone.now()):
                self.stdout.write(f"{say_paused(row.pause)}: {steps(row.waiting)}, nobody is stuck for that")
            self.stdout.write("1 order needs somebody" if len(rows) == 1 else f"{len(rows)} orders need somebody")
        if rows:
            raise CommandError(f"{len(rows)} stuck")


def line(row: StuckOrder) -> str:
    state = with_code(Order.State(row.state).label, row.state) if row.state in Order.State else row.state
    owner = f"owner {name_of(row.owner)}" if row.owner else ""
    return "  ".join(filter(None, [iso_time(row), row.number, state, why(row), row.customer, owner]))


def as_json(row: StuckOrder) -> dict:
    return {
        "order": row.number,
        "customer": row.customer,
        "state": row.state,
        "why": why(row),
        "since": iso_time(row),
        "owner": row.owner,
    }


def iso_time(row: StuckOrder) -> str:
    return timezone.localtime(row.since).isoformat(timespec="seconds")


def why(row: StuckOrder) -> str:
    """Returns the most urgent reasons as a sentence in Chinese, each with its code."""
    more = len(row.reasons) - MAX_REASONS
    reasons = [reason_words(reason) for reason in row.reasons[:MAX_REASONS]]
    return "; ".join([*reasons, *([f"+{more}"] if more > 0 else [])])


def reason_words(reason: Reason) -> str:
    if reason.kind == HELD:
        return with_code(Order.Held(reason.code).label, reason.code)
    if reason.kind == UNBILLED:
        return with_code(NOT_BILLED, reason.code)
    if reason.kind == DIFFERENCE:
        return with_code(Difference.Kind(reason.code).label, reason.code)
    if reason.kind == STATE:
        return with_code(Order.State(reason.code).label, reason.code)
    if reason.kind == BEHIND:
        step = with_code(Dispatch.Step(reason.step).label, reason.step)
        return in_language("zh-hans", WAITS_BEHIND) % {"order": reason.other, "step": step}
    step = f"{with_code(Dispatch.Step(reason.step).label, reason.step)} " if reason.step in Dispatch.Step else ""
    return f"{step}{with_code(cause_of(reason.code).what, reason.code)}"
