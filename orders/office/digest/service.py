"""Mails each person about pending work. There is a digest per workday, and a mail about red items without an owner at
most every 15 minutes.

The sweep calls the functions for both mails each minute. A row per person prevents a second mail, even with several
workers or changes of the clock. Each mail is checked again when it is sent.
"""

import datetime
from collections.abc import Callable, Iterable

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from notifications.mail_rendering import LANGUAGE
from notifications.sending import CAUSE_SAYS_ALL, NOT_WANTED, MailError
from orders.history.actors import ACCOUNTS
from orders.history.owners import Absent, absent_on
from orders.limits.late_orders import time_limits
from orders.lists.scope import attributions_of
from orders.mails.notices import notify_staff
from orders.models import Incident, Order
from orders.office.digest.contents import GRACE, digest_facts, opened_red, red_facts, turned_red
from orders.office.digest.models import Digest, RedWatch
from orders.restore.detect_restore import read_restore_state
from orders.rules.local_time import SHANGHAI

SEES, ACTS = "orders.view_order", "orders.own_order"
DIGEST, RED = "notice_digest", "notice_red"
FROM, NOON = datetime.time(8, 30), datetime.time(12)  # Asia/Shanghai
MAX_AT_ONCE = 10  # people per sweep; the next sweep runs within a minute
AT_MOST_EVERY = datetime.timedelta(minutes=15)
LONG_AHEAD = datetime.timedelta(days=1)  # a `told_until` so far ahead is removed: the clock was wrong
KEPT = datetime.timedelta(days=30)


def readers() -> QuerySet:
    """Returns the accounts that get these mails. Such an account may log in and see orders, has a mail address, and has
    chosen the mails. Without a choice, an account gets the mails if its role acts on orders."""
    accounts = get_user_model().objects
    acting = accounts.with_perm(ACTS, backend=ACCOUNTS, include_superusers=False).values("pk")
    found = accounts.with_perm(SEES, backend=ACCOUNTS).filter(is_staff=True).exclude(email="")
    return found.filter(Q(digest=True) | Q(digest=None, pk__in=acting)).order_by("pk")


def write_digests(*, now: datetime.datetime) -> int:
    """Writes the missing digests of a workday, from 8:30 until noon. Returns the number of mails. If nothing is pending
    for a person, only the row is stored."""
    local = now.astimezone(SHANGHAI)
    if not FROM <= local.time() < NOON or read_restore_state().restored:
        return 0
    there = Digest.objects.filter(day=local.date()).values("account")
    people = list(readers().exclude(pk__in=there).prefetch_related("attributions")[:MAX_AT_ONCE])
    if not people:
        return 0
    limits = time_limits()
    if not limits.days.is_working_day(local.date()):
        return 0
    absent = absent_on(local.date())
    return _each(people, lambda user: _write_digest(user, limits, absent, local.date(), now))


def _write_digest(user, limits, absent: Absent, day: datetime.date, now: datetime.datetime) -> bool:
    before = Digest.objects.filter(account=user, day__lt=day, written_at__lte=now).order_by("-day").first()
    since = before.written_at if before else now - KEPT
    with override(LANGUAGE):
        facts = digest_facts(user, limits=limits, absent=absent, since=since, now=now)
    with transaction.atomic():
        _row, new = Digest.objects.get_or_create(account=user, day=day, defaults={"written_at": now})
        return new and facts is not None and _tell(user, DIGEST, facts | {"day": f"{day:%Y-%m-%d}"}, now)


def write_red(*, now: datetime.datetime) -> int:
    """Mails people about items without an owner that became red since their last notification. Returns the number of
    mails.

    New or returning readers are notified only of later items. An item that its owner releases later appears in the
    digest.
    """
    if read_restore_state().restored:
        return 0
    until = now - GRACE
    ready = Q(mailed_at=None) | Q(mailed_at__lte=now - AT_MOST_EVERY)
    ahead = Q(told_until__gt=now + LONG_AHEAD)
    RedWatch.objects.filter(ahead | ready & ~Q(account__in=readers())).delete()
    watches = RedWatch.objects.filter(ready, told_until__lt=until)
    new = readers().exclude(pk__in=RedWatch.objects.values("account")).values_list("pk", flat=True)
    begun = [RedWatch(account_id=pk, told_until=until) for pk in new]
    if begun:
        RedWatch.objects.bulk_create(begun, ignore_conflicts=True)
    first = watches.order_by("told_until").values_list("told_until", flat=True).first()
    if first is None:
        return 0
    limits = time_limits()
    absent = absent_on(now.astimezone(SHANGHAI).date())
    orders = [Order.objects.filter(condition) for condition in turned_red(limits, absent, since=first, until=until)]
    incidents = Incident.objects.awake(now).filter(opened_red(absent, since=first, until=until))
    if not any(rows.exists() for rows in (*orders, incidents)):
        return 0
    rows = {row.account_id: row for row in watches}
    people = readers().filter(pk__in=rows).prefetch_related("attributions")
    return _each(people, lambda user: _write_red(user, rows[user.pk], limits, absent, until, now))


def _write_red(user, watch: RedWatch, limits, absent: Absent, until: datetime.datetime, now: datetime.datetime) -> bool:
    with override(LANGUAGE):
        facts = red_facts(user, limits=limits, absent=absent, since=watch.told_until, until=until, now=now)
    with transaction.atomic():
        as_seen = RedWatch.objects.filter(pk=watch.pk, told_until=watch.told_until, mailed_at=watch.mailed_at)
        if facts is None:
            as_seen.update(told_until=until)
            return False
        taken = as_seen.update(told_until=until, mailed_at=now)
        return bool(taken) and _tell(user, RED, facts, now)


def _each(people: Iterable, write: Callable) -> int:
    """Calls `write` for each person. An error for one person does not stop the others. Raises the first error at the
    end."""
    written, fault = 0, None
    for user in people:
        try:
            written += write(user)
        except Exception as error:
            fault = fault or error
    if fault:
        raise fault
    return written


def _tell(user, kind: str, facts: dict, now: datetime.datetime) -> bool:
    rows = notify_staff([user], kind, facts=facts, path=reverse("admin:digest"), now=now)
    for row in rows:
        row.account_id, row.about = user.pk, {"letters": letters_of(user)}  # for the check when the mail is sent
        row.save(update_fields=["account_id", "about"])
    return bool(rows)


def letters_of(user) -> list[str] | None:
    letters = attributions_of(user)
    return None if letters is None else sorted(letters)


def nothing_more(row) -> str:
    """Returns an empty text, since such a mail has no additional last lines. Raises MailError if the person may no
    longer get the mail or has switched it off, if the person's attributions or address have changed, or if the mail is
    a digest and noon has passed."""
    user = readers().filter(pk=row.account_id).prefetch_related("attributions").first()
    if user is not None and [user.email.lower()] == [mail.lower() for mail in row.recipients]:
        same = row.about.get("letters", []) == letters_of(user)  # null: limited to none
        if same and not (row.kind == DIGEST and _is_past_noon(row.written_at)):
            return ""
    raise MailError("it is not for this person any more", permanent=True, code=NOT_WANTED, params=CAUSE_SAYS_ALL)


def _is_past_noon(written_at: datetime.datetime) -> bool:
    noon = datetime.datetime.combine(written_at.astimezone(SHANGHAI).date(), NOON, SHANGHAI)
    return timezone.now() >= noon


def remove_old_digests(*, now: datetime.datetime) -> int:
    return Digest.objects.filter(day__lt=(now - KEPT).date()).delete()[0]
