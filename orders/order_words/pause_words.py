"""Texts about a pause for staff: before it, during it, and at its end."""

from collections.abc import Collection

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.lists.time_cells import MINUTE, span
from orders.models import PartnerHold
from orders.order_words.history import PARTNER_NAMES
from orders.pauses.backlog import Backlog
from orders.pauses.paused_steps import PauseInForce, work_off_seconds
from orders.texts.incident_texts import cause_of

MAX_NAMED = 20


def work_off(steps: int) -> str:
    seconds = work_off_seconds(steps)
    if not steps:
        return ""
    if seconds is None:
        return _("they go out as fast as the partner answers")
    words = {"span": span(seconds), "rate": settings.PARTNER_RATE}
    return _("working them off takes at least %(span)s at %(rate)d calls a second for each worker process") % words


def waiting_text(steps: int) -> str:
    """Returns `12 steps wait; working them off takes at least ...`."""
    sentence = ngettext("%(n)d step waits", "%(n)d steps wait", steps) % {"n": steps}
    return _("; ").join(filter(None, [sentence, work_off(steps)]))


def backlog_words(backlog: Backlog) -> str:
    """Returns how long the waiting calls will take once calls go again; without a rate only their number."""
    if not backlog.waiting:
        return _("No call waits.")
    words = {"n": backlog.waiting, "rate": backlog.rate}
    if backlog.minutes is None:
        return _("Waiting calls: %(n)d. No call was measured in the 24 hours before, so no time can be given.") % words
    words["span"] = span(backlog.minutes * MINUTE)
    return _("Worked off about %(span)s after it ends (waiting calls: %(n)d, about %(rate)d a minute).") % words


def until(row: PauseInForce) -> str:
    if row.pause.until is None:
        return _("until somebody resumes it")
    moment = f"{timezone.localtime(row.pause.until):%m-%d %H:%M}"
    return _("until %(moment)s, then it goes on by itself") % {"moment": moment}


def will_pause(partner: str, steps: int) -> list[str]:
    name = PARTNER_NAMES[partner]
    return [
        _("From now on no worker sends anything to %(partner)s. A call that is under way ends as usual.")
        % {"partner": name},
        _(
            "BBOSS's orders are taken as before. Their steps stay due: no attempt is counted, nothing is compensated "
            "and nothing counts as overdue."
        ),
        _("Now: %(waiting)s.") % {"waiting": waiting_text(steps)},
        _("Start days that come meanwhile are made up for afterwards, and named at the pause's end."),
        _("Without an end an incident reminds every 4 hours."),
    ]


def will_resume(row: PauseInForce, slept: Collection[str]) -> list[str]:
    sentences = [
        _("Calls to %(partner)s go out again within seconds.") % {"partner": PARTNER_NAMES[row.pause.partner]},
        _("Now: %(waiting)s.") % {"waiting": waiting_text(row.waiting)},
    ]
    return [*sentences, slept_words(slept)] if slept else sentences


def will_end_hold(row: PartnerHold) -> str:
    """Returns the text of a hold set by this system, with its reason (contract 7.2)."""
    said = _(
        "The desk holds the calls that make something since order %(number)s: %(why)s They go out again, one first."
    )
    return said % {"number": row.order, "why": cause_of(row.code).what}


def slept_words(numbers: Collection[str]) -> str:
    """Returns the orders whose start days passed during the pause; empty if none."""
    if not numbers:
        return ""
    names = _(", ").join([*numbers][:MAX_NAMED]) + ("…" if len(numbers) > MAX_NAMED else "")
    sentence = ngettext(
        "%(n)d start day slept through: %(names)s", "%(n)d start days slept through: %(names)s", len(numbers)
    )
    return sentence % {"n": len(numbers), "names": names}
