"""Who did something, in words. Events store an account, which stays the same; pages name the person behind it."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar

from django.contrib.auth import get_user_model
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from approvals.models import ApprovalRecord
from notifications.masks import mask_text

STAFF, COMMAND, API = "staff", "command", "api"
ACTORS = {
    "bboss": "BBOSS", "bpm": "BPM", "worker": gettext_lazy("worker"), "system": gettext_lazy("system"),
    "watchdog": gettext_lazy("watchdog"), "sweep": gettext_lazy("sweep"),
}  # fmt: skip


def _read() -> Mapping[str, str]:
    """{account: its display name}, with the account if somebody else goes by that name too."""
    named = dict(get_user_model().objects.values_list("username", "display_name"))
    often = Counter(name or account for account, name in named.items())
    return {
        account: name if often[name] == 1 else _("%(name)s (%(account)s)") % {"name": name, "account": account}
        for account, name in named.items()
        if name
    }


_names: ContextVar[Callable[[], Mapping[str, str]]] = ContextVar("names", default=_read)


@contextlib.contextmanager
def names_read_once() -> Iterator[None]:
    """Within the block the names are read at most once, when the first is asked for. Each request is such a block."""
    token = _names.set(functools.cache(_read))
    try:
        yield
    finally:
        _names.reset(token)


def name_of(account: str) -> str:
    """The display name of an account. An account without one, or that is gone, goes by its user name."""
    return _names.get()().get(account, account)


def actor_of(actor: str) -> tuple[str | Promise, bool]:
    """Who it was, in words, and whether that is a person."""
    kind, _colon, name = actor.partition(":")
    if kind == STAFF and name:
        return name_of(name), True
    person = kind == COMMAND and bool(name)
    return (name if name and kind in {COMMAND, API} else ACTORS.get(actor, actor)), person


def account_of(actor: str):
    """The account of a member of staff who may log in; None for anybody else, and if it is gone."""
    kind, _colon, name = actor.partition(":")
    found = get_user_model().objects.filter(username=name, is_active=True, is_staff=True)
    return found.first() if kind == STAFF else None


def operator_of(record: ApprovalRecord) -> str:
    """Who decided, in an approval record. A record of ours stores an actor. BPM's own words are masked."""
    staff = record.source == ApprovalRecord.Source.STAFF
    return str(actor_of(record.operator)[0]) if staff else mask_text(record.operator)


def node_of(record: ApprovalRecord) -> str:
    """Where it was decided, in BPM's words, masked."""
    return mask_text(record.node_name or record.node)


def spoken(actor: str) -> str:
    """The same for a terminal: an account of the desk by its display name, anything else as it is stored."""
    return str(actor_of(actor)[0]) if actor.startswith(f"{STAFF}:") else actor
