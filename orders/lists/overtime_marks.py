"""The mark of what is late: `over time by 2 days`, amber, at twice the limit red. States have chips; this is none."""

import datetime

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.lists.times import span
from orders.overtime import Limit, Overtime, Tone

DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)


def overtime_words(overtime: Overtime) -> str:
    """By how much working time. A day has 24 hours of it."""
    words = _("far over time by %(span)s") if overtime.tone == Tone.VERY_LATE else _("over time by %(span)s")
    return words % {"span": span(overtime.beyond_seconds)}


def limit_words(limit: Limit) -> str:
    if limit.work % DAY:
        number = limit.work // HOUR
        return ngettext("%(n)d working hour", "%(n)d working hours", number) % {"n": number}
    number = limit.work // DAY
    return ngettext("%(n)d working day", "%(n)d working days", number) % {"n": number}


def overtime_mark(overtime: Overtime | None) -> str | None:
    if overtime is None:
        return None
    title = _("time limit: %(limit)s") % {"limit": limit_words(overtime.limit)}
    mark = '<span class="overtime overtime-{}" title="{}">{}</span>'
    return format_html(mark, overtime.tone.value, title, overtime_words(overtime))
