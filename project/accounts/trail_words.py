"""A row of the trail in words."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.masks import mask_text
from orders.models import TrailEntry

WAYS = {"company": gettext_lazy("company log-in"), "password": gettext_lazy("by password")}
WHY_NOT_IN = {
    "no_group": gettext_lazy("no group of the person has a role here"),
    "disabled": gettext_lazy("the account is disabled"),
}


def more_words(row: TrailEntry) -> str:
    """What the row's data say, masked: the way of a log-in, a command's words, or the settings from what to what."""
    data, code = row.data, TrailEntry.Code
    if row.code == code.LOGIN:
        return str(WAYS.get(data.get("way"), ""))
    if row.code == code.LOGIN_REFUSED:
        return str(WHY_NOT_IN.get(data.get("why"), ""))
    if row.code == code.COMMAND:
        return mask_text(str(data.get("words", "")))
    if row.code == code.SETTINGS:
        old, new = data.get("from", {}), data.get("to", {})
        return mask_text(
            _("; ").join(f"{name}{_(': ')}{_shown(old.get(name))} → {_shown(new.get(name))}" for name in {**old, **new})
        )
    return ""


def _shown(value: str | None) -> str:
    return value or _("(empty)")
