"""Single-use links by which a person sets their password: an invitation, or the reset of a forgotten password.

A link is created from the account's id when the mail is sent. It is not stored, because mails are shown on pages and
included in exports and backups. Django's token depends on the account's password, last log-in and mail address. If any
of them changes, the link becomes invalid.
"""

import datetime

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from integrations.base.old_secrets import SIGNING_KEY, note_use, signing_key
from notifications.contacts_and_recipients import distinct
from notifications.models import Mail
from notifications.sending import CAUSE_SAYS_ALL, MailError
from orders.history.actors import staff_actor
from orders.history.trail_writes import note_act
from orders.mails.mail_creation import write_notices
from orders.models import TrailEntry
from project.accounts.emergency_accounts import is_emergency_only
from project.models import User

INVITATION, RESET = "notice_invitation", "notice_password_reset"
VALID = {INVITATION: datetime.timedelta(days=3), RESET: datetime.timedelta(minutes=30)}
"""Validity of a link by the kind of its mail. Django's tokens expire after three days too."""
HOUR = datetime.timedelta(hours=1)
MAX_PER_NAME, MAX_PER_ADDRESS = 3, 20
"""Maximum number of links requested in an hour: for one user name, and from one address. An office may share an
address."""
NOBODY = "nobody@localhost"


def why_no_password(user: User) -> str | Promise | None:
    """Returns an error text if the account may have no password. Otherwise returns None."""
    if not user.is_active:
        return gettext_lazy("The account is disabled.")
    if is_emergency_only() and not hasattr(user, "emergency"):
        return gettext_lazy("Only accounts for an emergency have passwords here; this one logs in with the company.")
    return None


def link(user: User, kind: str) -> str:
    key = signing.dumps([user.pk, default_token_generator.make_token(user)], salt=kind)
    return f"{settings.SITE_URL}{reverse('password_link')}?key={key}"


def user_of_link(key: str) -> tuple[User, str] | None:
    """Returns (account, kind) of a link's key. If the key is invalid, used or expired, or if the account may have no
    password, returns None. Records the use of an old SECRET_KEY."""
    for kind, period in VALID.items():
        try:
            pk, token = signing.loads(key, salt=kind, max_age=period)
        except signing.BadSignature:
            continue
        user = User.objects.select_related("emergency").filter(pk=pk).first()
        if user and default_token_generator.check_token(user, token) and why_no_password(user) is None:
            note_use(SIGNING_KEY, signing_key(key, kind) or "")
            return user, kind
    return None


def link_ending(row: Mail) -> str:
    """Returns the link that is appended to the mail when the mail is sent. Raises MailError if the account is disabled
    or has another address by then."""
    user = User.objects.filter(pk=row.account_id, email__in=row.recipients, is_active=True).first()
    if user is None:
        raise MailError("the account has another mail now", permanent=True, code="no_recipients", params=CAUSE_SAYS_ALL)
    return f"\n{link(user, row.kind)}\n"


@transaction.atomic
def invite(user: User, *, by: User, now: datetime.datetime, address: str) -> str:
    """Invalidates the account's password and earlier links, and mails a new link. If the account has no mail address,
    returns the link. Otherwise returns an empty text."""
    user.set_unusable_password()
    user.save(update_fields=["password", "password_set_at"])
    user.note_given(by, now=now)
    mails = distinct([user.email])
    way = "mail" if mails else "shown"
    note_act(
        TrailEntry.Code.PASSWORD_INVITED, by=staff_actor(by), now=now, about=user.username, address=address, way=way
    )
    _write(INVITATION, user, mails, now=now)
    return "" if mails else link(user, INVITATION)


@transaction.atomic
def send_reset_link(name: str, *, address: str, now: datetime.datetime) -> bool:
    """Sends a link if an account of this name has a password and a mail address. After too many requests, sends nothing
    and returns False.

    The account is locked before the requests are counted, so that simultaneous requests can't exceed the maximum. For
    any other name a mail is written and rolled back, so that the response time does not reveal which accounts exist.
    """
    users = User.objects.select_related("emergency").select_for_update(of=("self",), no_key=True)
    user = users.filter(username=name, is_staff=True).first()
    lately = TrailEntry.objects.filter(code=TrailEntry.Code.PASSWORD_ASKED, at__gt=now - HOUR)
    if lately.filter(about=name).count() >= MAX_PER_NAME:
        return False
    if lately.filter(address=address).count() >= MAX_PER_ADDRESS:
        return False
    mails = distinct([user.email]) if user and user.has_usable_password() and why_no_password(user) is None else []
    note_act(TrailEntry.Code.PASSWORD_ASKED, by="", now=now, about=name, address=address)
    with transaction.atomic():
        _write(RESET, user, mails or [NOBODY], now=now)
        if not mails:
            transaction.set_rollback(True)
    return True


def _write(kind: str, user: User | None, mails: list[str], *, now: datetime.datetime) -> None:
    facts = {"account": user.username if user else "-"}
    write_notices(kind=kind, mails=mails, facts=facts, path="", now=now, account_id=user and user.pk)
