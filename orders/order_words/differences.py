"""Texts of differences with the big-data side's records, and of their history. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import actor_of
from orders.incidents.order_warnings import SERVED
from orders.models import Difference, Dispatch, Order
from orders.order_words.glossary import WORDS as GLOSSARY
from orders.texts.error_messages import say_why

SIDES = {
    "live": gettext_lazy("live"),
    "cancelled": gettext_lazy("cancelled"),
    "missing": gettext_lazy("not there"),
    "none": gettext_lazy("not there"),
    "to_send": gettext_lazy("not sent yet"),
    "deleted": gettext_lazy("deleted"),
    "unknown": gettext_lazy("not known"),
    "unreadable": gettext_lazy("can't be read"),
    "known": gettext_lazy("known"),
}

DAYS = {"cancelTime": gettext_lazy("last day %(day)s"), "createTime": gettext_lazy("billed from %(day)s")}


@dataclass(frozen=True)
class DifferenceLine:
    """One difference. `tone`: of its chip; `life`: its history, the earliest first.

    If both sides differ from what the orders say, `ours` is the orders' value and `theirs` the value of both sides.
    """

    row: Difference
    tone: str
    ours: str | Promise
    theirs: str | Promise
    fields: list[tuple[str, str, str]]
    life: list[str]


def lines_of(rows: Iterable[Difference], order: Order | None) -> list[DifferenceLine]:
    """Returns the rows as texts; a difference that was found again is shown once.

    `rows` with fix and reconciliation, newest first.
    """
    found, seen = [], set()
    for row in rows:
        same = (row.kind, row.product_id, row.domain, row.found_at)
        if same in seen and row.state == Difference.State.OVER:
            continue
        seen.add(same)
        found.append(_line(row, order))
    return found


def _line(row: Difference, order: Order | None) -> DifferenceLine:
    detail = row.detail if isinstance(row.detail, dict) else {}
    ours, theirs = str(detail.get("ours", "")), str(detail.get("theirs", ""))
    if row.kind == Difference.Kind.NOT_MEANT:
        ours, theirs = _("the orders say: %(what)s"), _("both books: %(what)s")
        meant, there = (_meant(detail, side) for side in (0, 1))
        ours, theirs = ours % {"what": meant}, theirs % {"what": there}
        return DifferenceLine(row, tone_of(row, order), ours, theirs, [], life_of(row))
    fields = [
        (str(GLOSSARY.get(name, name)), *("" if side is None else str(side) for side in pair))
        for name, pair in _fields(detail)
    ]
    ours, theirs = SIDES.get(ours, ours), SIDES.get(theirs, theirs)
    return DifferenceLine(row, tone_of(row, order), ours, theirs, fields, life_of(row))


def _fields(detail: dict) -> Iterable[tuple[str, list]]:
    fields = detail.get("fields") or {}
    return [(name, pair) for name, pair in fields.items() if isinstance(pair, list) and len(pair) == 2]


def _meant(detail: dict, side: int) -> str:
    """Returns a record's state, last day and start: as the orders say (`side` 0), or as both sides have it (1)."""
    state = str(detail.get("ours" if side == 0 else "theirs", ""))
    parts = [str(SIDES.get(state, state))]
    for name, pair in _fields(detail):
        if name in DAYS:
            day = _day(pair[side])
            parts.append(DAYS[name] % {"day": day} if day else _("without an end"))
    return _(", ").join(parts)


def _day(value: object) -> str:
    """Returns `2023-09-25` from a time in the partner's format."""
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text[:8].isdecimal() and len(text) >= 8 else text


def tone_of(row: Difference, order: Order | None) -> str:
    """Returns red for a customer with service and without a record, the most urgent case."""
    if row.state != Difference.State.OPEN:
        return "grey"
    return "red" if order and row.kind == Difference.Kind.NOT_BILLED and order.state in SERVED else "amber"


def life_of(row: Difference) -> list[str]:
    sentences = [_("Found %(at)s") % {"at": _time_words(row.found_at)}]
    if row.fix:
        sentences.append(_fixing(row))
    elif row.state == Difference.State.OPEN and row.detail.get("left"):
        sentences.append(_("Not put right: %(why)s") % {"why": say_why(row.detail["left"])})
    if row.state == Difference.State.ACCEPTED:
        sentences.append(_("Accepted by %(who)s %(at)s: %(why)s") % _closing(row))
    elif row.state == Difference.State.OVER and row.reason:
        sentences.append(_("Their books taken by %(who)s %(at)s: %(why)s") % _closing(row))
    elif row.state == Difference.State.OVER and not _is_fixed(row):
        settled = row.detail.get("ours") == "unknown"
        text = _("Settled by their answer %(at)s") if settled else _("Not found any more %(at)s, compared by %(who)s")
        sentences.append(text % _closing(row))
    if row.checked_at:
        sentences.append(_("Checked again %(at)s") % {"at": _time_words(row.checked_at)})
    elif _is_fixed(row):
        sentences.append(_("Not checked again yet: the next comparison does"))
    return sentences


def _fixing(row: Difference) -> str:
    facts = {
        "who": actor_of(row.reconciliation.by)[0],
        "step": Dispatch.Step(row.fix.step).label,
        "state": Dispatch.State(row.fix.state).label,
        "at": _time_words(row.closed_at),
    }
    if _is_fixed(row):
        return _("Put right %(at)s, set going by %(who)s: %(step)s") % facts
    return _("Being put right, set going by %(who)s: %(step)s (%(state)s)") % facts


def _is_fixed(row: Difference) -> bool:
    return row.state == Difference.State.OVER and row.fix is not None and row.fix.state == Dispatch.State.DONE


def _closing(row: Difference) -> dict:
    return {"who": actor_of(row.closed_by, at=row.closed_at)[0], "at": _time_words(row.closed_at), "why": row.reason}


def _time_words(at) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else ""
