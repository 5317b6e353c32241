"""Masks phones, mail addresses and names, or shows them unmasked and records this in the history.

A page shows these data unmasked with `?personal=1`, which needs `orders.see_personal_data`. Lists always mask these
data.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from notifications.masks import head, mask_mail, mask_name, mask_phone, mask_text
from orders.history.actors import staff_actor
from orders.lists.cells import column, json_block
from orders.models import Order
from orders.people.staff_events import note_personal_data_seen
from orders.texts import untrusted_text
from orders.texts.untrusted_text import bounded, with_rest

SEE_PERSONAL_DATA = "orders.see_personal_data"
MASKS = {
    "operuser": mask_name,
    "username": mask_name,
    "opertel": mask_phone,
    "usertel": mask_phone,
    "opermail": mask_mail,
    "usermail": mask_mail,
}


KEYS = "|".join(MASKS)
TEXTS_IN_TEXTS = 3
"""How many levels of JSON in strings are searched: an envelope, its content, a text in the content."""
# Patterns for truncated JSON, and for JSON in strings, in which quotes are escaped. All patterns run in linear time.
MEMBER = re.compile(rf'(?<![A-Za-z0-9_])({KEYS})\\*+"(?:\s|\\++[nrt])*+:(?:\s|\\++[nrt])*+', re.IGNORECASE)
OPENING = re.compile(r'(\\*+)"')
QUOTE = re.compile(r'(?<!\\)(\\*+)"')
LIST = re.compile(r"\[[^\]]*+")
NUMBER = re.compile(r"[0-9+-][0-9.eE+-]*+")


def mask_members(value, key: str = "", texts: int = TEXTS_IN_TEXTS):
    """Masks personal data in a JSON value, by the names of members. Also searches strings that contain JSON."""
    if isinstance(value, dict):
        return {mask_text(name): mask_members(inner, name, texts) for name, inner in value.items()}
    if isinstance(value, list):
        return [mask_members(inner, key, texts) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        shown = MASKS.get(key.lower(), mask_text)(str(value))
        return value if shown == str(value) else shown
    if not isinstance(value, str):
        return value
    mask = MASKS.get(key.lower())
    return mask(value) if mask else mask_text_or_json(value, texts)


def mask_json(text, texts: int = TEXTS_IN_TEXTS) -> object:
    """Masks a text. A JSON object or list is returned parsed, other text as text.

    A text longer than BYTES_SHOWN is cut, followed by the length of the rest. JSON that is nested in more than
    TEXTS_IN_TEXTS levels of strings is replaced by its length. No real message has so many levels.
    """
    if not isinstance(text, str):
        return mask_members(text)
    shown, more = head(text)
    value = None if more else _json(shown)
    if value is None:
        return with_rest(_masked_plain(shown), more)
    return mask_members(value, texts=texts - 1) if texts else with_rest("", len(text.encode("utf-8", "replace")))


def mask_text_or_json(text: str, texts: int = TEXTS_IN_TEXTS) -> str:
    found = mask_json(text, texts)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _json(text: str) -> dict | list | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return untrusted_text.load(text)
    except ValueError:
        return None


def _masked_plain(text: str) -> str:
    """Masks mail addresses and phones anywhere in the text. Masks people's names only as values of JSON members."""
    parts, at = [], 0
    while member := MEMBER.search(text, at):
        end, value = _masked_value(text, member.end(), MASKS[member[1].lower()])
        parts += [text[at : member.end()], value]
        at = end
    return mask_text("".join([*parts, text[at:]]))


def _masked_value(text: str, start: int, mask: Callable[[str], str]) -> tuple[int, str]:
    """Returns the end of the member's value, and the masked value. A truncated value becomes `***`."""
    if opening := OPENING.match(text, start):
        end = _end_of_quote(text, opening)
        value = text[opening.end() : end]
        return end, opening[0] + (mask(value) if end < len(text) or not value else "***")
    if found := LIST.match(text, start):
        return found.end(), "[***"
    if found := NUMBER.match(text, start):
        return found.end(), mask(found[0]) if found.end() < len(text) else "***"
    return start, ""


def _end_of_quote(text: str, opening: re.Match) -> int:
    """Returns the end of the string that starts at this quote.

    Each level of JSON in strings doubles the backslashes before a quote and adds one more. The closing quote has as
    many backslashes as the opening quote. They may follow escaped backslashes at the end of the string.
    """
    level = len(opening[1])
    for quote in QUOTE.finditer(text, opening.end()):
        behind = len(quote[1])
        if behind < level or behind % (2 * (level + 1)) == level:
            return quote.end() - 1 - min(behind, level)
    return len(text)


def masked_field(name: str, label) -> Callable:
    """Returns a column or a field with a masked text. Errors of partners may quote personal data."""
    return column(label, lambda row: mask_text_or_json(getattr(row, name)) or "-")


def raw_field(name: str, label) -> Callable:
    """Returns a column or a field for engineers. It shows the masked text of a log entry or an error code."""
    return column(label, lambda row: json_block(mask_text_or_json(str(getattr(row, name)))))


def may_open(user) -> bool:
    return user.has_perm(SEE_PERSONAL_DATA)


@dataclass(frozen=True)
class PersonalAccess:
    """A request's access to personal data. `there`: the page has personal data. `link`: the URL that shows the data
    unmasked."""

    there: bool
    allowed: bool
    shown: bool
    link: str

    def text(self, text: str) -> str:
        """Returns the text, masked unless personal data is shown. Long texts are cut in both cases."""
        return bounded(text) if self.shown else mask_text_or_json(text)

    def person(self, user: str, tel: str, mail: str) -> dict[str, str]:
        """Returns a customer's contact with the member names of BBOSS, masked unless personal data is shown."""
        if not self.shown:
            user, tel, mail = mask_name(user), mask_phone(tel), mask_mail(mail)
        return {"operUser": user, "operTel": tel, "operMail": mail}

    def block(self, value) -> str:
        """Returns the value as a JSON block with the hint, masked unless personal data is shown."""
        shown = value if self.shown else mask_json(value)
        return format_html("{}{}", json_block(shown), self.hint) if value else "-"

    @property
    def hint(self) -> str:
        """The HTML that says whether personal data is masked or shown. If the user may see it, a link shows it."""
        if not self.there:
            return ""
        said = _("Phones, mails and names of people are masked.")
        if self.shown:
            said = _("People's data are shown; that you opened them was noted.")
        elif self.allowed:
            said = format_html('{} <a href="{}">{}</a>', said, self.link, _("Show them (it is noted)"))
        return format_html('<p class="quiet personal">{}</p>', said)


def access_of(request, *, there: bool = True) -> PersonalAccess:
    """Returns the request's access to personal data. It is shown with `?personal=1`."""
    allowed, query = may_open(request.user), request.GET.copy()
    query["personal"] = "1"
    shown = there and allowed and "personal" in request.GET
    return PersonalAccess(there, allowed, shown, f"?{query.urlencode()}#tabs")


def open_personal_data(request, order: Order | None, where: str, *, there: bool = True) -> PersonalAccess:
    """Returns the result of `access_of`. If it shows personal data, records this in the history."""
    access = access_of(request, there=there)
    if access.shown:
        note_seen(request, order, where)
    return access


def note_seen(request, order: Order | None, where: str) -> None:
    """Records in the history that the user saw personal data. `where`: the page."""
    note_personal_data_seen(order, by=staff_actor(request.user), where=where, now=timezone.now())


class PersonalData:
    """A ModelAdmin with a page that may show personal data. Its rows have `personal`, a PersonalAccess. The access is
    recorded in the history of the order from `order_of`."""

    def order_of(self, obj) -> Order | None:
        return obj.order

    def get_object(self, request, object_id, from_field=None):
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.personal = access_of(request)
        return obj

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        if obj is not None and obj.personal.shown:
            note_seen(request, self.order_of(obj), f"{obj._meta.model_name} {obj.pk}")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)
