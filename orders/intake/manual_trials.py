"""Trials that staff entered by hand, and BBOSS's messages for their numbers (contract 3.10)."""

import datetime
import os.path

from notifications.masks import mask_mail, mask_name, mask_phone
from orders.incidents.incident_codes import ENTERED_DIFFERS
from orders.incidents.incidents import open_incident
from orders.models import AcceptedCall, Order
from orders.rules.content import OrderContent
from orders.rules.host_names import domain_key

ENTERED = "entered"  # the event that marks such a trial; its actor is the person who entered the trial
COMPARED = [
    "kind",
    "enterprise_id",
    "enterprise_name",
    "prod_type",
    "billing_method",
    "data_flow",
    "biz_start",
    "biz_end",
    "cp_id",
    "user_id",
    "oper_user",
    "oper_tel",
    "oper_mail",
]
MASKED = {"oper_user": mask_name, "oper_tel": mask_phone, "oper_mail": mask_mail}
LONGEST = 200  # most characters of a value in an incident


def differences(order: Order, content: OrderContent) -> list[dict]:
    """Returns the differences in meaning between a stored order and a message's content, as dicts {field, ours,
    theirs}. Personal data is masked.

    The result is empty if only the spelling differs. A content without attribution does not differ in it, since our
    attribution may have been derived or chosen.
    """
    pairs = {name: (getattr(order, name) or "", getattr(content, name) or "") for name in COMPARED}
    pairs["service_type"] = (order.service_type_id or "", content.service_type or "")
    if content.attribution:
        pairs["attribution"] = (order.attribution_id or "", content.attribution)
    ours, theirs = set(order.domains.values_list("key", flat=True)), set(map(domain_key, content.domains or ()))
    pairs["domains"] = (_counted(ours, ours - theirs), _counted(theirs, theirs - ours))
    return [
        {"field": name, "ours": _shown(name, str(mine), str(other)), "theirs": _shown(name, str(other), str(mine))}
        for name, (mine, other) in pairs.items()
        if mine != other
    ]


def _counted(names: set[str], only_here: set[str]) -> str:
    """Returns the number of `names` as text, followed by the domains that exist only on this side."""
    return f"{len(names)}: {', '.join(sorted(only_here))}" if only_here else str(len(names))


def _shown(name: str, text: str, other: str) -> str:
    """Returns a text with personal data masked. Long texts are cut around the first difference from `other`."""
    if text and name in MASKED:
        return MASKED[name](text[:LONGEST])
    same = len(os.path.commonprefix([text, other]))
    start = max(0, same - LONGEST // 2) if len(text) > LONGEST else 0
    return text[start : start + LONGEST]


def note_difference(order: Order, content: OrderContent, digest: str, *, now: datetime.datetime) -> None:
    """Opens an incident if BBOSS's message differs from the content that staff entered for this (locked) order. A
    repetition of an accepted message opens none, since staff may have accepted the difference."""
    found = differences(order, content)
    if found and not AcceptedCall.objects.filter(order=order, content_hash=digest).exists():
        params = {"code": "entered_differs_in", "differences": found}
        open_incident(order, partner="order", step="", code=ENTERED_DIFFERS, now=now, params=params)
