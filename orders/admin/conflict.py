"""Conflicts: messages with a known number and different content. The page compares both contents and their senders."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.masks import BYTES_SHOWN
from orders.admin.inbound import ACCEPTED, InboundList, order_named
from orders.history.actors import actor_of
from orders.limits.late_orders import is_late_conflict, mark_late_conflicts
from orders.lists.cells import column
from orders.lists.filter_kinds import word_filter
from orders.lists.overtime_marks import overtime_filter, overtime_mark
from orders.lists.personal_data import PersonalData, mask_members, mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import TRACES, Section, register_list
from orders.lists.scope import ScopedByNumber
from orders.models import Conflict, InboundMessage, Order, OrderEvent
from orders.office.bulk.selection import TickedList
from orders.order_words.glossary import WORDS
from orders.texts import untrusted_text

ABSENT = "—"
MAX_ROWS = 200


@dataclass(frozen=True)
class ComparedMember:
    name: str
    word: str | Promise
    ours: str
    theirs: str

    @property
    def differs(self) -> bool:
        return self.ours != self.theirs


@dataclass(frozen=True)
class Sender:
    at: object
    address: str
    party: str
    trans_ido: str
    trans_idh: str


def compare_contents(ours: dict, theirs: dict) -> list[ComparedMember]:
    names = [*ours, *(name for name in theirs if name not in ours)]
    rows = [ComparedMember(name, WORDS.get(name, ""), text_of(ours, name), text_of(theirs, name)) for name in names]
    return list(_rows_that_fit(sorted(rows, key=lambda row: not row.differs)[:MAX_ROWS]))


def _rows_that_fit(rows: list[ComparedMember]) -> Iterator[ComparedMember]:
    """Yields the rows. When the page's limit is reached, later texts are cut and followed by their remaining length."""
    left = BYTES_SHOWN // 8  # a character takes up to four bytes, and there are two contents
    for row in rows:
        yield replace(row, name=_cut(row.name, left), ours=_cut(row.ours, left), theirs=_cut(row.theirs, left))
        left = max(0, left - max(len(row.name), len(row.ours), len(row.theirs)))


def _cut(text: str, most: int) -> str:
    most = max(most, 40)
    more = len(text) - most
    return text if more <= 0 else text[:most] + _("… (%(characters)s more characters)") % {"characters": more}


def text_of(content: dict, name: str) -> str:
    if name not in content:
        return ABSENT
    value = content[name]
    if isinstance(value, list):
        return "\n".join(str(one.get("ProvReq", one)) if isinstance(one, dict) else str(one) for one in value)
    return value if isinstance(value, str) else str(value)


def sender_of(message: InboundMessage) -> Sender:
    party = members_of(message.body).get("userPartyID", "")
    return Sender(message.received_at, message.remote_address, str(party)[:64], message.trans_ido, message.trans_idh)


def first_sender(order: Order) -> Sender:
    """Returns the sender of the stored order and the time. If the message has been pruned, the time is the time of the
    order."""
    kept = InboundMessage.objects.filter(order_number=order.number, rsp_code=ACCEPTED).order_by("pk").first()
    if kept:
        return sender_of(kept)
    call = order.calls.order_by("pk").first()
    return Sender(order.received_at, "", "", call.trans_ido if call else "", order.trans_idh)


def acknowledgement_of(obj: Conflict) -> dict | None:
    if obj.seen is None:
        return None
    why = mask_text_or_json(str(obj.seen.data.get("reason", "")))
    return {"who": who_saw(obj.seen), "at": obj.seen.at, "why": why}


def who_saw(event: OrderEvent) -> str | Promise:
    return actor_of(event.actor, event.account_id, event.at)[0]


SeenFilter = word_filter(
    "seen",
    gettext_lazy("seen to"),
    {
        "no": (gettext_lazy("Nobody has seen to it"), Q(seen=None)),
        "yes": (gettext_lazy("Seen to"), Q(seen__isnull=False)),
    },
)


class LateFilter(overtime_filter(is_late_conflict)):
    def queryset(self, request, queryset):
        """Sorts late conflicts by the time of arrival."""
        rows = super().queryset(request, queryset)
        return rows if self.value() is None else rows.order_by("received_at", "pk")


@register_list(
    Conflict,
    menu=(Section.DESK, 60),
    needed_by=TRACES,
    empty=gettext_lazy("No conflict: no number has come twice with different contents."),
)
class ConflictAdmin(TickedList, InboundList, PersonalData, ScopedByNumber, ReadOnlyAdmin):
    list_display = ["order_number", "overtime", "trans_ido", "remote_address", "received", "seen_by"]
    list_filter = [SeenFilter, LateFilter]
    list_select_related = ["seen"]
    change_form_template = "admin/orders/conflict.html"
    fields = []

    overtime = column(gettext_lazy("over time"), lambda row: overtime_mark(row.overtime), empty_value="")
    seen_by = column(gettext_lazy("seen by"), lambda row: who_saw(row.seen) if row.seen else None, empty_value="-")

    def add_facts(self, rows):
        mark_late_conflicts(rows, now=timezone.now())

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["conflict"] = self.facts(obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def facts(self, obj: Conflict) -> dict:
        order = order_named(obj)
        ours, theirs = (order.content if order else {}), members_of(members_of(obj.body).get("content", {}))
        if not obj.personal.shown:
            ours, theirs = mask_members(ours), mask_members(theirs)
        return {
            "order": order,
            "rows": compare_contents(ours, theirs),
            "first": first_sender(order) if order else None,
            "second": sender_of(obj),
            "seen": acknowledgement_of(obj),
        }


def members_of(body) -> dict:
    """Returns the members of a dict or of a JSON object in a text, or {} for any other value."""
    if isinstance(body, str):
        try:
            body = untrusted_text.load(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}
