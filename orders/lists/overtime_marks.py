"""The overtime mark of late rows, such as `over time by 2 days`. It is amber, and becomes red at twice the limit. The
overtime filter is here too."""

import datetime
import functools
from collections.abc import Callable

from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.limits.late_orders import time_limits
from orders.limits.overtime import VERY_LATE, Limit, Overtime, Tone
from orders.lists.filter_kinds import WordFilter, word_filter
from orders.lists.time_cells import span

DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)


def overtime_words(overtime: Overtime) -> str:
    """Returns the working time beyond the limit as text. A working day counts as 24 hours."""
    words = _("far over time by %(span)s") if overtime.tone == Tone.VERY_LATE else _("over time by %(span)s")
    return words % {"span": span(overtime.beyond_seconds)}


def limit_words(limit: Limit) -> str:
    if limit.work % DAY:
        number = limit.work // HOUR
        return ngettext("%(n)d working hour", "%(n)d working hours", number) % {"n": number}
    number = limit.work // DAY
    return ngettext("%(n)d working day", "%(n)d working days", number) % {"n": number}


def overtime_filter(is_late: Callable[..., Q]) -> type[WordFilter]:
    """Returns the filter for rows over the time limit, and over twice the limit. `is_late`: a function of
    `orders.limits.late_orders`."""

    def late(times: int = 1) -> Q:
        return is_late(time_limits(), now=timezone.now(), times=times)

    words = {
        "yes": (gettext_lazy("Over its limit"), late),
        "very": (gettext_lazy("Far over time"), functools.partial(late, VERY_LATE)),
    }
    return word_filter("overtime", gettext_lazy("over time"), words)


def overtime_mark(overtime: Overtime | None) -> str | None:
    if overtime is None:
        return None
    title = _("time limit: %(limit)s") % {"limit": limit_words(overtime.limit)}
    mark = '<span class="overtime overtime-{}" title="{}">{}</span>'
    return format_html(mark, overtime.tone.value, title, overtime_words(overtime))
