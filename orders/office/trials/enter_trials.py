"""Enters one trial from a form or many trials from a workbook. Either all trials are entered or none (contract 5,
`import_trials`)."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from notifications.contacts_and_recipients import is_address
from orders.db.expressions import IsInTrail
from orders.history.actors import account_id_of
from orders.history.order_locks_and_events import add_event
from orders.intake.receive import enter_order
from orders.models import Order, OrderEvent, Province
from orders.office.trials.columns import (
    ATTRIBUTION,
    CUSTOMER,
    CUSTOMER_NAME,
    DOMAINS,
    END,
    MAIL,
    METHOD,
    NUMBER,
    PERSON,
    PHONE,
    PRODUCT,
    SERVICE,
    START,
    VOLUME,
    attributions,
    coded_choices,
    read_trial,
    service_types,
)
from orders.office.trials.sheet import Entry, Fault, TrialSheet
from orders.office.trials.warnings import warnings_of
from orders.restore.detect_restore import is_restored
from orders.restore.manual_trial_numbers import note_numbers
from orders.rules.content import OrderContent, content_hash
from orders.texts.errors import ContentError, NotAllowedError, OrderConflictError
from orders.texts.name_rules import why_not_a_name

NEW, KNOWN, WRONG = "new", "known", "wrong"
CHOICES = {SERVICE: "cell_service_type", ATTRIBUTION: "cell_attribution", PRODUCT: "cell_choice", METHOD: "cell_choice"}
REFUSALS = {
    "content_service_type": "cell_service_type",
    "content_attribution": "cell_attribution",
    "content_too_many_domains": "cell_domains",
}
TAKEN, CLOSED = "cell_number_taken", "cell_number_closed"
MOST_FOREIGN, HOUR = 10, datetime.timedelta(hours=1)
"""A limited user may type at most this many numbers of orders outside their attributions within an hour, since guesses
reveal which numbers exist."""
TRIED = "numbers_tried"
EXCEL_ERROR = re.compile(r"#N/A|#[A-Z0-9/_]+[!?]")
FORMS = {
    CUSTOMER: (re.compile(r"[A-Za-z0-9_-]+"), "typed_id"),
    VOLUME: (re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?"), "typed_volume"),
    PHONE: (re.compile(r"\+?[0-9][0-9 ()-]{5,18}[0-9]"), "typed_phone"),
}


@dataclass
class RowResult:
    """A trial and its verdict: `new`, `known` (stored already; nothing changes) or `wrong`. `held`: the reason why the
    trial is held."""

    row: int
    number: str
    customer: str
    verdict: str = NEW
    held: str = ""
    attribution: str = ""
    faults: list[Fault] = field(default_factory=list)


@dataclass
class Report:
    """The result of a workbook. `faults` are faults of its header. If there are any, no row was checked.

    `warnings` are cells that are valid but look doubtful. The user confirms all warnings together by sending `mark`.
    `contents`: {row: the part of the row's content that a page shows}.
    """

    rows: list[RowResult] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def all_faults(self) -> list[Fault]:
        return [*self.faults, *(fault for row in self.rows for fault in row.faults)]

    @property
    def is_right(self) -> bool:
        return not self.all_faults

    @property
    def mark(self) -> str:
        """Returns a hash of the warnings, or an empty string if there are none."""
        return content_hash([asdict(one) for one in self.warnings]) if self.warnings else ""

    def is_confirmed(self, mark: str | None) -> bool:
        """Returns True if `mark` confirms the warnings. None accepts all warnings, since a command prints the warnings
        but does not ask."""
        return mark is None or not self.warnings or mark == self.mark

    def count(self, verdict: str) -> int:
        return sum(row.verdict == verdict for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        rows = [RowResult(**{**row, "faults": [Fault(**one) for one in row["faults"]]}) for row in found["rows"]]
        faults, warnings = ([Fault(**one) for one in found.get(name, ())] for name in ("faults", "warnings"))
        return cls(rows, faults, warnings, found.get("contents", {}))


def import_trials(
    sheet: TrialSheet,
    *,
    by: str,
    letters: frozenset[str] | None,
    now: datetime.datetime,
    file: str = "",
    confirmed: str | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Enters the trials in one transaction. Enters none if the report has a fault, or warnings that `confirmed` does
    not confirm. Trials that are already stored with the same content change nothing. `dry_run` rolls everything back.

    `letters` are the attributions of a limited user, or None if the user may see all. Each trial gets the event
    `entered` with its actor. `file` is the workbook's name for the import's event, and empty for a single trial.
    `on_progress` gets the number of finished rows.

    Raises NotAllowedError and enters nothing if the database is restored, if the list of numbers in ATTACHMENT_DIR
    can't be written, or after more than MOST_FOREIGN numbers outside the attributions within an hour.
    """
    if is_restored():
        raise NotAllowedError("entry_restored")
    if letters is not None and len(_tried(by, now)) >= MOST_FOREIGN:
        raise NotAllowedError("entry_numbers", most=MOST_FOREIGN)
    _name_same_numbers(sheet.entries)
    with transaction.atomic():
        choices = {
            SERVICE: service_types(),
            ATTRIBUTION: [code for code, _name in attributions(letters)],
            **{member: [code for code, _name in known] for member, known in coded_choices().items()},
        }
        scope = None if letters is None else Scope(letters)
        by_number = sorted(sheet.entries, key=lambda entry: entry.content.get(NUMBER, ""))  # no deadlock of two imports
        results = {}
        for done, entry in enumerate(by_number, 1):
            results[entry.row] = _enter_one(entry, by, choices, scope)
            on_progress(done)
        contents = {str(entry.row): entry.summary() for entry in sheet.entries}
        report = Report([results[entry.row] for entry in sheet.entries], sheet.faults, contents=contents)
        foreign = _look_at_orders(report, sheet, letters)
        for entry in sheet.entries:
            entry.sort_faults()
        if report.is_right:
            new = {row.row for row in report.rows if row.verdict == NEW}
            report.warnings = warnings_of([one for one in sheet.entries if one.row in new], letters, now=now)
        if dry_run or not report.is_right or not report.is_confirmed(confirmed):
            transaction.set_rollback(True)
        elif report.count(NEW):
            if file:
                add_event(None, "trials_imported", by=by, now=now, file=file, count=report.count(NEW))
            numbers = [row.number for row in report.rows if row.verdict == NEW]
            try:
                note_numbers(numbers, by=by, now=timezone.now())  # the last thing before the commit
            except OSError as error:
                raise NotAllowedError("entry_not_noted", why=error.strerror or str(error)) from error
    if foreign:  # then the report has faults, and everything was rolled back
        _note_tried(foreign, by=by, now=now)
    return report


def _tried(by: str, now: datetime.datetime) -> set[str]:
    """Returns the numbers that the person has typed within an hour and that are outside the person's attributions."""
    rows = OrderEvent.objects.filter(IsInTrail("actor"), actor=by, at__gt=now - HOUR, kind=TRIED)
    return {number for data in rows.values_list("data", flat=True) for number in data["numbers"].split(", ")}


def _note_tried(numbers: set[str], *, by: str, now: datetime.datetime) -> None:
    """Records the numbers in the trail, under a lock of the account. Raises NotAllowedError if there are too many."""
    with transaction.atomic():
        list(get_user_model().objects.filter(pk=account_id_of(by)).select_for_update(no_key=True).values_list("pk"))
        too_much = len(_tried(by, now) | numbers) > MOST_FOREIGN
        named = ", ".join(sorted(numbers)[: MOST_FOREIGN + 1])
        add_event(None, TRIED, by=by, now=now, numbers=named, count=len(numbers))
    if too_much:
        raise NotAllowedError("entry_numbers", most=MOST_FOREIGN)


def _name_same_numbers(entries: list[Entry]) -> None:
    first: dict[str, int] = {}
    for entry in entries:
        number = entry.content.get(NUMBER)
        if number in first:
            entry.add_fault(NUMBER, "cell_same_number", row=first[number])
        elif number:
            first[number] = entry.row


class Scope:
    """A limited user's attributions. Trials of other attributions are refused before any query of orders, so that no
    answer reveals an order."""

    def __init__(self, letters: frozenset[str]):
        self.letters, self.by_code = letters, dict(Province.objects.values_list("code", "letters"))

    def holds(self, content: OrderContent) -> bool:
        """Returns True if the order would get one of the attributions (contract 2.4)."""
        return (content.attribution or self.by_code.get(content.enterprise_id[:3])) in self.letters


def _enter_one(entry: Entry, by: str, choices: dict[str, list[str]], scope: Scope | None) -> RowResult:
    """Checks an entry by BBOSS's rules, and enters it if nothing is wrong. Adds faults to the entry.

    `choices` are checked here too. All faults must be shown, but `enter_order` stops at its first fault.
    """
    number, customer = entry.content.get(NUMBER, ""), entry.content.get(CUSTOMER_NAME, "")
    result = RowResult(entry.row, number[:64], customer[:255], faults=entry.faults)
    content, faults = read_trial(entry.content)
    faulty = {fault.member for fault in entry.faults}
    for fault in faults:
        if fault.member not in faulty:  # an unreadable cell breaks BBOSS's rules too: one fault is enough
            entry.add_fault(fault.member, f"member_{fault.code}", **fault.params)
    faulty |= {fault.member for fault in faults}
    for member, code in typed_faults(entry.content):
        if member not in faulty:
            entry.add_fault(member, code)
            faulty.add(member)
    for member, known in choices.items():
        given = entry.content.get(member)
        if given and given not in known and member not in faulty:
            entry.add_fault(member, CHOICES[member], known=", ".join(known))
    _compare_days(entry)
    if content and not entry.faults and scope and not scope.holds(content):
        entry.add_fault(ATTRIBUTION, "cell_scope")
    if content and not entry.faults:
        try:
            receipt = enter_order(content, raw=entry.content, by=by)
            result.verdict = KNOWN if receipt.repeated else NEW
        except OrderConflictError:
            entry.add_fault(NUMBER, TAKEN)
        except ContentError as error:
            entry.add_fault(error.field, REFUSALS[error.code], **error.params, known="")
    if entry.faults:
        result.verdict = WRONG
    return result


def _compare_days(entry: Entry) -> None:
    """Adds a fault if the end is before the start. BBOSS's rules check this only if everything else is valid."""
    start, end = (entry.content.get(member, "") for member in (START, END))
    faulty = {fault.member for fault in entry.faults}
    if not faulty & {START, END} and len(start) == len(end) == len("YYYYMMDD") and end < start:
        entry.add_fault(END, "member_before_start")


def _look_at_orders(report: Report, sheet: TrialSheet, letters: frozenset[str] | None) -> set[str]:
    """Sets `held` and `attribution` from the stored orders. Returns the numbers of orders outside the person's
    attributions. Their entries get a fault which says only that the number can't be used, whatever the order's
    content."""
    entries, foreign = {entry.row: entry for entry in sheet.entries}, set()
    taken = {entry.row for entry in sheet.entries if any(fault.code == TAKEN for fault in entry.faults)}
    rows = {row.number: row for row in report.rows if row.verdict != WRONG or row.row in taken}
    fields = ("number", "held_because", "attribution_id", "attribution__name")
    for number, held, attribution, name in Order.objects.filter(number__in=rows).values_list(*fields):
        row = rows[number]
        if letters is not None and attribution not in letters:
            foreign.add(number)
            faults = entries[row.row].faults
            faults[:] = [fault for fault in faults if fault.code != TAKEN]
            entries[row.row].add_fault(NUMBER, CLOSED)
            row.verdict, row.held, row.attribution = WRONG, "", ""
        elif row.verdict != WRONG:
            row.held, row.attribution = held, name or ""
    return foreign


def typed_faults(content: dict) -> Iterator[tuple[str, str]]:
    """Yields (member, code) for each value that BBOSS may send but a person may not type."""
    for member, text in content.items():
        if member == DOMAINS or not text:
            continue
        if text.startswith("="):
            yield member, "cell_formula"
        elif EXCEL_ERROR.fullmatch(text):
            yield member, "cell_error"
        elif member in FORMS and not FORMS[member][0].fullmatch(text):
            yield member, FORMS[member][1]
        elif member in (CUSTOMER_NAME, PERSON) and (error := why_not_a_name(text)):
            yield member, error.code
        elif member == MAIL and not is_address(text):
            yield member, "typed_mail"
