"""The texts of the trail's rows."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.masks import mask_text
from orders.models import TrailEntry
from orders.office.exports.lists import title_of_export
from orders.texts.secrets_in_text import kept_words

LINKS = {
    "mail": gettext_lazy("sent by mail"),
    "shown": gettext_lazy("shown to the administrator, since the account has no mail"),
    "notice_invitation": gettext_lazy("by an invitation"),
    "notice_password_reset": gettext_lazy("after it was forgotten"),
}
WAYS = {
    "company": gettext_lazy("company log-in"),
    "password": gettext_lazy("by password"),
    "code": gettext_lazy("by password and code"),
}
COMPANY_FAILED = {
    "wrong": gettext_lazy("company log-in: the provider's answer did not count"),
    "denied": gettext_lazy("company log-in: the provider did not let the person through"),
    "away": gettext_lazy("company log-in: the provider did not answer"),
}
WHY_FAILED = COMPANY_FAILED | {"code": gettext_lazy("the password was right, the code of the second factor was not")}
WHY_NOT_IN = {
    "no_group": gettext_lazy("no group of the person has a role here"),
    "roles_apart": gettext_lazy("the person's groups give roles that must stay apart"),
    "disabled": gettext_lazy("the account is disabled"),
}


def more_words(row: TrailEntry) -> str:
    """Returns the details of a row, masked: for example the method of a log-in or a command's words."""
    data = row.data
    if row.code == TrailEntry.Code.LOGIN:
        return str(WAYS.get(data.get("way"), ""))
    if row.code == TrailEntry.Code.LOGIN_FAILED:
        return str(WHY_FAILED.get(data.get("why"), ""))
    if row.code == TrailEntry.Code.LOGIN_REFUSED:
        return str(WHY_NOT_IN.get(data.get("why"), ""))
    if row.code in {TrailEntry.Code.PASSWORD_INVITED, TrailEntry.Code.PASSWORD_SET}:
        return str(LINKS.get(data.get("way"), ""))
    if row.code == TrailEntry.Code.SECRETS_CUT:
        return _("rows: %(n)s") % {"n": data.get("count", "")}
    if row.code == TrailEntry.Code.SESSIONS_ENDED:
        return _("%(n)s of them") % {"n": data.get("count", "")}
    if row.code == TrailEntry.Code.COMMAND:
        return mask_text(kept_words(str(data.get("words", ""))))  # a worker of 1.10.0 may still store them with secrets
    if row.code == TrailEntry.Code.SETTINGS:
        old, new = data.get("from", {}), data.get("to", {})
        return mask_text(
            _("; ").join(f"{name}{_(': ')}{_shown(old.get(name))} → {_shown(new.get(name))}" for name in {**old, **new})
        )
    if row.code in (TrailEntry.Code.EXPORT, TrailEntry.Code.EXPORT_JUDGED, TrailEntry.Code.EXPORT_FETCHED):
        return _of_export(data)
    return mask_text(str(data.get("filter", "")))


def _of_export(data: dict) -> str:
    words = [f"{title_of_export(str(data.get('list', '')))} {data.get('export', '')}".strip()]
    words += [_("with people's data")] if data.get("personal") else []
    if "agreed" in data:
        words.append(_("agreed") if data["agreed"] else _("refused"))
    return _("; ").join([*words, *([mask_text(str(data["reason"]))] if data.get("reason") else [])])


def _shown(value: str | None) -> str:
    return value or _("(empty)")
