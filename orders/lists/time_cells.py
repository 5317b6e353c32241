"""Relative times (3 minutes ago, in about 2 minutes) as text, and as cells with the exact time on hover."""

import datetime
from collections.abc import Callable
from operator import attrgetter

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.lists.cells import column

MINUTE, HOUR, DAY = 60, 3600, 86400
RECENT = datetime.timedelta(days=2)


def span(seconds: int) -> str:
    """Returns a duration in its largest unit: `3 minutes`."""
    if seconds < MINUTE:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < HOUR:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // MINUTE) % {"n": seconds // MINUTE}
    if seconds < 2 * DAY:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // HOUR) % {"n": seconds // HOUR}
    return ngettext("%(n)d day", "%(n)d days", seconds // DAY) % {"n": seconds // DAY}


def took(attempt) -> str:
    if attempt.finished_at is None:
        return ""
    return _("%(seconds)s s") % {"seconds": f"{(attempt.finished_at - attempt.started_at).total_seconds():.1f}"}


def ago(moment: datetime.datetime | None) -> str:
    if moment is None:
        return "-"
    passed = timezone.now() - moment
    if abs(passed) >= RECENT:
        return _cell(moment, f"{timezone.localtime(moment):%Y-%m-%d}")
    seconds = int(passed.total_seconds())
    if abs(seconds) < 10:
        return _cell(moment, _("just now"))
    words = _("%(span)s ago") if seconds > 0 else _("in about %(span)s")
    return _cell(moment, words % {"span": span(abs(seconds))})


def clock(moment: datetime.datetime) -> str:
    """Returns the local time of day. The page shows the day in a heading."""
    return _cell(moment, f"{timezone.localtime(moment):%H:%M:%S}")


def ago_field(name: str, label, **display) -> Callable:
    """Returns a column or a field that shows a row's time as relative. `display`: arguments of `admin.display`."""
    return column(label, attrgetter(name), lambda row: ago(getattr(row, name)), **display)


def ahead(moment: datetime.datetime | None) -> str:
    """Returns a future time as `ago` does. A past time is shown as due now: the partner may be paused or down."""
    return ago(moment) if moment is None or moment > timezone.now() else _cell(moment, _("at once"))


def _cell(moment: datetime.datetime, words: str) -> str:
    local = timezone.localtime(moment)
    exact = f"{local:%Y-%m-%d %H:%M:%S}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, words)


def short_moment(moment: datetime.datetime) -> str:
    """Returns the local time as `09-21 08:00`, with the year if it is not the current one."""
    local = timezone.localtime(moment)
    return f"{local:%m-%d %H:%M}" if local.year == timezone.localtime().year else f"{local:%Y-%m-%d %H:%M}"
