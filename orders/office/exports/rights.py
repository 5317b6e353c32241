"""Permissions to open an export and download its file: for its maker, and for recipients of the schedule that created
it."""

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from orders.history.actors import ACCOUNTS, rows_of
from orders.lists.personal_data import SEE_PERSONAL_DATA
from orders.lists.registration import admin_of, exported_lists
from orders.lists.scope import attributions_of, sees_all
from orders.office.evidence.archive import EVIDENCE
from orders.office.exports.lists import rights_for
from orders.office.exports.models import Export, ScheduledExport
from orders.office.jobs import is_made_by

SEE_EXPORTS, SEE_SCHEDULES = "orders.view_export", "orders.view_scheduledexport"  # of all users
JUDGE = "orders.judge_export"  # to approve as a second person, tokens of other systems too
STOP_SCHEDULES = "orders.stop_scheduledexport"


def own_or_received(user, rows: QuerySet[Export]) -> QuerySet[Export]:
    """Keeps the exports that the user made or received. Each part uses its own index. An OR of both would read all
    exports."""
    exports = Export.objects.order_by().values("pk")
    with_id, without = rows_of(user, actor="by", account_id="maker_id", at="created_at")
    found = exports.filter(with_id).union(exports.filter(without), all=True)
    schedules = list(ScheduledExport.objects.filter(recipients=user).values_list("pk", flat=True))
    if schedules:
        found = found.union(exports.filter(schedule__in=schedules), all=True)
    return rows.filter(pk__in=found)


def may_read(user, row: Export) -> bool:
    """Returns True if the user may see the exported list and filter, which may name orders and people. Other users see
    only that the export exists."""
    return is_made_by(row, user) or sees_all(user, SEE_EXPORTS) or may_download(user, row)


def may_download(user, row: Export) -> bool:
    """Returns True if the user may see the file's content: the list, its attributions, and any personal data."""
    known = row.list_name in exported_lists() or row.list_name == EVIDENCE
    return known and user.has_perms(_rights(row)) and _covers(user, row)


def lacking(people: QuerySet, row: Export) -> list:
    """Returns the accounts among `people` that may not download the file. Makes a few queries for all accounts
    together."""
    if row.list_name not in exported_lists():
        return list(people)
    able = people.filter(is_active=True, is_staff=True)
    for right in _rights(row):
        able = able.filter(pk__in=get_user_model().objects.with_perm(right, backend=ACCOUNTS))
    fit = {person.pk for person in able.prefetch_related("attributions") if _covers(person, row)}
    return [person for person in people if person.pk not in fit]


def _rights(row: Export) -> list[str]:
    listed = admin_of("orders" if row.list_name == EVIDENCE else row.list_name)
    return [*rights_for(listed), *([SEE_PERSONAL_DATA] if row.personal else [])]


def _covers(user, row: Export) -> bool:
    present = attributions_of(user)
    return present is None or (row.scope is not None and present >= set(row.scope))
