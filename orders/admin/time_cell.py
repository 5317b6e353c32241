"""A time in a list: `3 minutes ago`, with the exact time on hover and in the markup."""

import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from orders.order_page.times import relative

RECENT = datetime.timedelta(days=2)


def ago(moment: datetime.datetime | None) -> str:
    """The time in words if it is at most two days away, else the date."""
    if moment is None:
        return "-"
    now = timezone.now()
    near = abs(now - moment) < RECENT
    return _cell(moment, relative(moment, now) if near else f"{timezone.localtime(moment):%Y-%m-%d}")


def ahead(moment: datetime.datetime | None) -> str:
    """The same for a time to come. One that has passed is due now: its partner may be paused or down."""
    return ago(moment) if moment is None or moment > timezone.now() else _cell(moment, _("at once"))


def _cell(moment: datetime.datetime, words: str) -> str:
    local = timezone.localtime(moment)
    exact = f"{local:%Y-%m-%d %H:%M:%S}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, words)


def short_moment(moment: datetime.datetime) -> str:
    """`09-21 08:00`; with the year if it is not this one."""
    local = timezone.localtime(moment)
    return f"{local:%m-%d %H:%M}" if local.year == timezone.localtime().year else f"{local:%Y-%m-%d %H:%M}"
