"""Moments as people say them: 3 minutes ago, in about 2 minutes. Pure."""

import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE, HOUR, DAY = 60, 3600, 86400


def relative(moment: datetime.datetime, now: datetime.datetime) -> str:
    """One unit is enough: the exact time stands in the title."""
    seconds = int((now - moment).total_seconds())
    if abs(seconds) < 10:
        return _("just now")
    words = span(abs(seconds))
    return _("%(span)s ago") % {"span": words} if seconds > 0 else _("in about %(span)s") % {"span": words}


def span(seconds: int) -> str:
    """A stretch of time in its largest unit: `3 minutes`."""
    if seconds < MINUTE:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < HOUR:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // MINUTE) % {"n": seconds // MINUTE}
    if seconds < 2 * DAY:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // HOUR) % {"n": seconds // HOUR}
    return ngettext("%(n)d day", "%(n)d days", seconds // DAY) % {"n": seconds // DAY}


def took(attempt) -> str:
    """How long an attempt took; empty while it has no end."""
    if attempt.finished_at is None:
        return ""
    return _("%(seconds)s s") % {"seconds": f"{(attempt.finished_at - attempt.started_at).total_seconds():.1f}"}
