"""`show ORDER [--json | --times]`: shows an order's status (contract section 5). ORDER may be the end of a number."""

import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import override

from approvals.models import ApprovalRecord
from notifications.masks import mask_text
from orders.history.actors import name_of
from orders.incidents.order_warnings import open_differences
from orders.limits.late_orders import mark_overtime
from orders.lists.overtime_marks import limit_words, overtime_words
from orders.mails.mail_reasons import EVENTS, Reasons, reasons_of, upcoming_mails
from orders.management.bilingual import both, in_language, padded, with_code, word
from orders.models import BillingRecord, Difference, Dispatch, Order
from orders.pauses.breaker_incidents import partners_down
from orders.queries.order_status import order_status, owner_of
from orders.queries.order_times import placed, times_of
from orders.rules.steps import PARTNERS
from orders.sending.waiting_words import waits_for
from orders.texts.incident_texts import cause_of
from orders.trials.trial_state_reads import shape_of

MAX_RECORDS = 20
MAX_CANDIDATES = 10
MAX_DOMAINS = 10
MAX_MAILS = 10
BAR = 24  # characters of the longest bar of --times


class Command(BaseCommand):
    help = "Tells where an order stands."

    def add_arguments(self, parser):
        parser.add_argument("order", help="the order's number, or an end of it that no other order's number has")
        parser.add_argument("--json", action="store_true", help="as JSON, for programs")
        parser.add_argument("--times", action="store_true", help="where its time went: each wait and each call")

    def handle(self, *args, order, **options):
        found = named(order)
        if options["times"]:
            self.stdout.write("\n".join(self.times(found)))
            return
        facts = order_status(found)
        if options["json"]:
            self.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2))
            return
        self.stdout.write("\n".join(self.lines(found, facts)))

    def times(self, order: Order) -> list[str]:
        stretches = times_of(order, now=timezone.now())
        lines = []
        for one, begins, length in placed(stretches):
            call = f", attempt {one.attempt.number} {one.attempt.outcome or 'open'}" if one.attempt else ""
            began = f"{timezone.localtime(one.begins):%Y-%m-%d %H:%M:%S}"
            why = padded(with_code(one.why.label, one.why), 40)
            lines.append(f"  {began} {one.seconds:10.1f} s  [{bar(begins, length)}]  {why} {one.step}{call}")
        total = sum(one.seconds for one in stretches)
        return [f"{order.number}  trace {order.trace or '-'}, {total:.1f} s since BBOSS's call", *lines]

    def lines(self, order: Order, facts: dict) -> list[str]:
        """Returns the output lines, in the terms of the pages and mails and with the codes."""
        role = {True: " (first)", False: " (subsequent)", None: ""}[facts["first"]]
        lines = [
            f"{facts['order']}  {both(Order.Kind(order.kind).label)}{role}  {word(Order.State(order.state))}",
            f"  customer {order.enterprise_name or '-'} {order.enterprise_id}".rstrip(),
            f"  attribution {facts['attribution'] or '-'}, start {facts['start'] or '-'}"
            f", BPM process {facts['bpm_process'] or '-'}",
            *self.meant(order),
            *self.why(order, facts),
            *(self.step(row, waiver_line(facts)) for row in facts["steps"]),
            *self.records(facts["billing"]),
        ]
        lines += self.mails(order)
        for row in facts["approvals"]:
            result = word(ApprovalRecord.Result(row["result"]))
            lines.append(f"  approval {row['time']} {row['node']} {result} {row['operator']}")
        if facts["schedule"]:
            lines.append(f"  schedule {facts['schedule']['name']} at {facts['schedule']['next_run']}")
        if facts["erased_at"]:
            lines.append(f"  personal data erased {facts['erased_at']}")
        return [*lines, f"  trace {order.trace or '-'}"]

    def meant(self, order: Order) -> list[str]:
        """Returns the present shape of a trial (contract 3.9, 19)."""
        if order.kind != Order.Kind.TRIAL:
            return []
        shape = shape_of(order)
        over = ", ended until a change names a later end" if shape.closed else ""
        names = list(shape.domains.values())
        more = " ..." if len(names) > MAX_DOMAINS else ""
        return [
            f"  meant   last day {shape.end or '-'}, service {shape.service or '-'}{over}, {len(names)} domain"
            f"{'' if len(names) == 1 else 's'} {' '.join(names[:MAX_DOMAINS])}{more}".rstrip()
        ]

    def why(self, order: Order, facts: dict) -> list[str]:
        owner = owner_of(order)
        lines = [f"  owner {name_of(owner)}, {owner}"] if owner else []
        if order.trial:
            lines.append(f"  trial {order.trial.number}  {word(Order.State(order.trial.state))}")
        if order.held_because:
            lines.append(f"  held because {word(Order.Held(order.held_because))}")
        lines += self.late(order)
        for row in facts["incidents"]:
            lines += self.incident(row)
        lines += self.differences(order)
        lines += [f"  waits for {name}" for name in waits_for(order)]
        waiting = {PARTNERS[row["channel"]] for row in facts["steps"] if row["status"] in {"due", "retrying"}}
        return lines + [f"  partner {name} is down; its calls wait" for name in sorted(waiting & partners_down())]

    def late(self, order: Order) -> list[str]:
        """Returns the working time by which the order has exceeded the limit of its state."""
        mark_overtime([order], now=timezone.now())
        if order.overtime is None:
            return []
        with override("zh-hans"):
            chinese = overtime_words(order.overtime)
        with override("en"):
            return [f"  late {chinese} {overtime_words(order.overtime)} (limit: {limit_words(order.overtime.limit)})"]

    def differences(self, order: Order) -> list[str]:
        rows = list(open_differences(order.differences).select_related("fix").order_by("found_at", "pk"))
        lines = []
        for row in rows[:MAX_RECORDS]:
            since = timezone.localtime(row.found_at).isoformat(timespec="minutes")
            sides = _sides(row)
            fixed = f", being put right: {row.fix.step} {row.fix.state}" if row.fix else ""
            name = row.domain or row.product_id or row.job_id
            what = with_code(Difference.Kind(row.kind).label, row.kind)
            lines.append(f"  difference {what} {name}: {sides}{fixed}, since {since}")
        return lines + ([f"  difference ... {len(rows) - MAX_RECORDS} more"] if len(rows) > MAX_RECORDS else [])

    def incident(self, row: dict) -> list[str]:
        name = " ".join(filter(None, (row["partner"], row["step"], row["code"])))
        detail = f": {row['detail']}" if row["detail"] else ""
        cause = cause_of(row["code"])
        lines = [f"{in_language(tongue, cause.what)} {in_language(tongue, cause.next)}" for tongue in ("zh-hans", "en")]
        return [f"  incident {name}{detail}", *(f"           {line}" for line in lines)]

    def step(self, row: dict, waiver: str) -> str:
        state, name = Dispatch.State(row["status"]), Dispatch.Step(row["name"])
        tried = f"{row['attempts']} attempt{'' if row['attempts'] == 1 else 's'}"
        more = f", next try {row['next_try']}" if row["next_try"] and row["status"] != "done" else ""
        error = f" — {row['error']}" if row["error"] else ""
        if waiver and row["name"] == Dispatch.Step.CHECK_FILES and row["status"] == Dispatch.State.DONE:
            error = f" — {waiver}"
        column = padded(f"{in_language('zh-hans', state.label)} {state.value}", 18)
        return f"  step    {column} {word(name)} {tried}{more}{error}"

    def mails(self, order: Order) -> list[str]:
        """Returns the recipients of its mails with the reasons, then those of mails still to come, as of now."""
        with override("zh-hans"):
            written = order.mails.exclude(body="").order_by("-pk")
            rows = [(row.kind, "to", reasons_of(row)) for row in list(written[:MAX_MAILS])[::-1]]
            rows += [(one.kind, "would go to", one.reasons) for one in upcoming_mails(order)]
            return [f"  mail    {with_code(EVENTS.get(kind, kind), kind)} {way} {_whom(to)}" for kind, way, to in rows]

    def records(self, rows: list[dict]) -> list[str]:
        lines = [
            f"  record  {row['infoType']} {row['domain']:40} {word(BillingRecord.State(row['state']))}"
            for row in rows[:MAX_RECORDS]
        ]
        if len(rows) > MAX_RECORDS:
            lines.append(f"  record  ... {len(rows) - MAX_RECORDS} more (--json lists all)")
        return lines


def bar(begins: float, length: float) -> str:
    """Returns a bar of BAR characters for a stretch of time.

    Both arguments are shares of the whole; at least one character.
    """
    width = max(round(length * BAR), 1)
    left = min(round(begins * BAR), BAR - width)
    return ("." * left + "#" * width).ljust(BAR, ".")


def _whom(reasons: Reasons) -> str:
    """Returns the masked recipients and the rule that chose them. Each recipient is followed by the
    reason why that person gets the mail, if a reason is known."""
    people = [f"{mask_text(one.address)}{f' ({one.why})' if one.why else ''}" for one in reasons.people]
    rule = f"; {reasons.rule}" if reasons.rule else ""
    return f"{', '.join(people) or 'nobody'}{', switched off' if reasons.off else ''}{rule}"


def _sides(row: Difference) -> str:
    """Returns the values of both sides. They are equal if a record differs from what the orders say."""
    ours, theirs = row.detail.get("ours", "-"), row.detail.get("theirs", "-")
    if row.kind != Difference.Kind.NOT_MEANT:
        return f"ours {ours}, theirs {theirs}"
    fields = row.detail.get("fields") or {}
    times = "".join(f", {name} {said or '-'} / {there or '-'}" for name, (said, there) in fields.items())
    return f"the orders say {ours}, both books {theirs}{times}"


def named(text: str) -> Order:
    """Returns the order with this number, or the only one whose number ends with it. Raises CommandError."""
    orders = Order.objects.select_related("trial")
    if found := orders.filter(number=text).first():
        return found
    ends = Order.objects.filter(number__endswith=text).order_by("number").values_list("number", flat=True)
    numbers = list(ends[: MAX_CANDIDATES + 1]) if text else []
    if not numbers:
        raise CommandError(f"order {text} is unknown")
    if len(numbers) > 1:
        more = " and more" if len(numbers) > MAX_CANDIDATES else ""
        raise CommandError(f"several orders end in {text}: {', '.join(numbers[:MAX_CANDIDATES])}{more}")
    return orders.get(number=numbers[0])


def waiver_line(facts: dict) -> str:
    rows = [row for row in facts["approvals"] if row["result"] == ApprovalRecord.Result.WAIVE]
    return f"{word(ApprovalRecord.Result.WAIVE)} by {rows[-1]['operator']}: {rows[-1]['opinion']}" if rows else ""
