"""Phones, mails and names of people: masked, until somebody who may opens them; each opening enters the history.

A page shows them after `?personal=1`, which needs `orders.see_personal_data`. In lists they are always masked.
"""

import json
import re
from collections.abc import Callable

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from notifications.personal import mask_mail, mask_name, mask_phone, mask_text
from orders import foreign_json
from orders.admin.json_block import json_block
from orders.models import Order
from orders.services.viewing import note_personal_data_seen

PERMISSION = "orders.see_personal_data"
MASKS = {
    "operuser": mask_name,
    "username": mask_name,
    "opertel": mask_phone,
    "usertel": mask_phone,
    "opermail": mask_mail,
    "usermail": mask_mail,
}


KEYS = "|".join(MASKS)
IN_A_CUT_TEXT = re.compile(rf'("({KEYS})"\s*:\s*")((?:[^"\\]|\\.)*)', re.IGNORECASE)
IN_A_TEXT_IN_IT = re.compile(rf'(\\+"({KEYS})\\+"\s*:\s*\\+")((?:[^"\\]|\\+(?!["\\]).)*)', re.IGNORECASE)


def masked(value, key: str = ""):
    """A JSON value with people's data masked by the members' names; a text that holds JSON is looked into."""
    if isinstance(value, dict):
        return {name: masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, key) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and key.lower() in MASKS:
        return MASKS[key.lower()](str(value))
    if not isinstance(value, str):
        return value
    mask = MASKS.get(key.lower())
    return mask(value) if mask else masked_text(value)


def masked_json(text) -> object:
    """The same for a text that may be a JSON object or list; what else it is stays a text."""
    if not isinstance(text, str):
        return masked(text)
    try:
        value = foreign_json.load(text)
    except ValueError:
        value = None
    return masked(value) if isinstance(value, dict | list) else _masked_plain(text)


def masked_text(text: str) -> str:
    """The same, as a text again."""
    found = masked_json(text)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _masked_plain(text: str) -> str:
    """Mails and phones anywhere; names too where a cut JSON still tells the member."""
    for pattern in (IN_A_CUT_TEXT, IN_A_TEXT_IN_IT):
        text = pattern.sub(lambda found: found[1] + MASKS[found[2].lower()](found[3]), text)
    return mask_text(text)


def masked_field(name: str, label) -> Callable:
    """A column, or line of a page, with a text of a partner's: errors quote what was sent."""

    @admin.display(description=label)
    def shown(_self, row):
        return masked_text(getattr(row, name)) or "-"

    return shown


def asks_to_see(request) -> bool:
    """Whether this request opens people's data, and may."""
    return "personal" in request.GET and request.user.has_perm(PERMISSION)


def note_seen(request, order: Order | None, where: str) -> None:
    """Writes into the history that somebody opened people's data: once for each person, order and day, on every page.

    `where` tells which page it was first; it stands for the order where there is none.
    """
    note_personal_data_seen(order, by=f"staff:{request.user.get_username()}", where=where, now=timezone.now())


def invitation(row) -> str:
    """Says that something is masked, and how to open it."""
    if getattr(row, "personal_shown", False):
        return format_html('<p class="quiet">{}</p>', _("People's data are shown; that you opened them was noted."))
    if not getattr(row, "personal_allowed", False):
        return format_html('<p class="quiet">{}</p>', _("Phones, mails and names of people are masked."))
    text, link = _("Phones, mails and names of people are masked."), _("Show them (it is noted)")
    return format_html('<p class="quiet">{} <a href="?personal=1">{}</a></p>', text, link)


def personal_block(value, row) -> str:
    """A JSON block, masked unless the page was opened with people's data."""
    if not value:
        return "-"
    shown = value if getattr(row, "personal_shown", False) else masked_json(value)
    return format_html("{}{}", json_block(shown), invitation(row))


class PersonalData:
    """A ModelAdmin whose page may show people's data; `order_of` tells whose history notes it."""

    def order_of(self, obj) -> Order | None:
        return obj.order

    def get_object(self, request, object_id, from_field=None):
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.personal_allowed = request.user.has_perm(PERMISSION)
            obj.personal_shown = asks_to_see(request)
        return obj

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and getattr(obj, "personal_shown", False):
            note_seen(request, self.order_of(obj), f"{obj._meta.model_name} {obj.pk}")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)
