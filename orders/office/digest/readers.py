"""Who is mailed of what waits, and whether a person still is when a mail goes out."""

import datetime

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils import timezone

from notifications.sending import NO_MORE, NOT_WANTED, MailError
from orders.lists.scope import attributions_of
from orders.local_time import SHANGHAI
from orders.people import ACCOUNTS

SEES, ACTS = "orders.view_order", "orders.own_order"
DIGEST, RED = "notice_digest", "notice_red"
NOON = datetime.time(12)


def readers() -> QuerySet:
    """The accounts that may log in and see orders, have a mail address, and want these mails. Who has not chosen gets
    them if their role acts on orders."""
    accounts = get_user_model().objects
    acting = accounts.with_perm(ACTS, backend=ACCOUNTS, include_superusers=False).values("pk")
    found = accounts.with_perm(SEES, backend=ACCOUNTS).filter(is_staff=True).exclude(email="")
    return found.filter(Q(digest=True) | Q(digest=None, pk__in=acting)).order_by("pk")


def letters_of(user) -> list[str] | None:
    letters = attributions_of(user)
    return None if letters is None else sorted(letters)


def nothing_more(row) -> str:
    """What such a mail ends with: nothing. Raises MailError if the person may not or will not have it any more, sees
    other orders than as it was written, has another address, or if it is a digest and noon has passed."""
    user = readers().filter(pk=row.account_id).prefetch_related("attributions").first()
    if user is not None and [user.email.lower()] == [mail.lower() for mail in row.recipients]:
        same = row.about.get("letters", []) == letters_of(user)  # null: limited to none
        if same and not (row.kind == DIGEST and _is_past_noon(row.written_at)):
            return ""
    raise MailError("it is not for this person any more", permanent=True, code=NOT_WANTED, params=NO_MORE)


def _is_past_noon(written_at: datetime.datetime) -> bool:
    noon = datetime.datetime.combine(written_at.astimezone(SHANGHAI).date(), NOON, SHANGHAI)
    return timezone.now() >= noon
