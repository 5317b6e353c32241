"""Ends requests for a second person (`AskedAct`) that nobody confirmed, and the bulk runs and exports that wait for
them."""

import datetime

from django.db import transaction

from orders.models import AskedAct
from orders.office.bulk import bulk_runs as bulk
from orders.office.exports import export_jobs as exports
from orders.people import asked_acts
from orders.rules.four_eyes_acts import BULK, EXPORT

ENDS = {BULK: bulk.end_asked, EXPORT: exports.end_asked}


@transaction.atomic
def call_off(row: AskedAct, *, user, now: datetime.datetime) -> None:
    """Cancels a request, for its asker or for a person who may confirm it. Raises NotAllowedError if the request has
    ended."""
    asked_acts.call_off(row, user=user, now=now)
    _end_what_waited(row, now)


def lapse_asked(*, now: datetime.datetime) -> int:
    """Ends the requests that were not confirmed in time. Returns the number of ended requests. The sweep calls this
    function each minute."""
    return asked_acts.lapse(now=now, follow=_end_what_waited)


def _end_what_waited(row: AskedAct, now: datetime.datetime) -> None:
    if row.act in ENDS:
        ENDS[row.act](row, now)
