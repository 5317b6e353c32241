"""The effects of pauses: waiting steps, start days that pass meanwhile, and the time to send the waiting steps."""

import datetime
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from notifications.models import Mail
from orders.history.actors import spoken
from orders.models import Dispatch, Order, PartnerHold, Pause
from orders.rules.steps import OUTSIDE, PARTNERS, Partner, channels_of


def to_paused(now: datetime.datetime) -> Q:
    paused = Q(pk__in=[])
    for partner in OUTSIDE:
        pauses = Pause.objects.in_force(now).filter(partner=partner)
        paused |= Q(Exists(pauses), channel__in=channels_of(partner))
    return paused


def waiting_steps(*, now: datetime.datetime, partners: Collection[str]) -> QuerySet[Dispatch]:
    rows = Dispatch.objects.current().due(now)
    return rows.filter(channel__in=channels_of(*partners))


def count_waiting(*, now: datetime.datetime, partner: str) -> int:
    """Returns how many steps, or mails, could be sent to a partner now."""
    mails = Mail.objects.due(now).count() if partner == Partner.MAIL else 0
    return mails + waiting_steps(now=now, partners=[partner]).count()


def waits_for_paused(now: datetime.datetime) -> Q:
    """Returns the condition for orders with a blocking step that waits because its partner is paused."""
    rows = Dispatch.objects.current().open().filter(order=OuterRef("pk"), blocking=True)
    return Q(Exists(rows.filter(to_paused(now))))


def slept_through(pause: Pause, *, now: datetime.datetime) -> QuerySet[Order]:
    """Returns activations whose start day came during the pause (until `now`) and whose blocking steps wait for the
    partner.
    """
    waiting = Dispatch.objects.current().open().filter(blocking=True)
    waiting = waiting.filter(channel__in=channels_of(pause.partner))
    rows = Order.objects.filter(kind=Order.Kind.ACTIVATION, start_at__gt=pause.since, start_at__lte=now)
    return rows.filter(pk__in=waiting.order_by().values("order")).defer("content").order_by("start_at", "pk")


@dataclass(frozen=True)
class PauseInForce:
    pause: Pause
    waiting: int

    @property
    def seconds(self) -> int | None:
        return work_off_seconds(self.waiting)


def work_off_seconds(steps: int) -> int | None:
    """Returns the seconds that one worker process needs for these steps at PARTNER_RATE; None if there is no limit."""
    return math.ceil(steps / settings.PARTNER_RATE) if settings.PARTNER_RATE else None


def pauses_in_force(*, now: datetime.datetime) -> list[PauseInForce]:
    """Returns the pauses in force, by partner. One query if there are none, otherwise two."""
    pauses = list(Pause.objects.in_force(now).order_by("partner"))
    if not pauses:
        return []
    rows = waiting_steps(now=now, partners=[pause.partner for pause in pauses]).order_by().values_list("channel")
    counts = dict.fromkeys(PARTNERS.values(), 0)
    if Partner.MAIL in {pause.partner for pause in pauses}:
        counts[Partner.MAIL] = Mail.objects.due(now).count()
    for channel, number in rows.annotate(number=Count("*")):
        counts[PARTNERS[channel]] += number
    return [PauseInForce(pause, counts[pause.partner]) for pause in pauses]


def seconds_due(since: Mapping[str, datetime.datetime | None], *, now: datetime.datetime) -> dict[str, float]:
    """Returns for each partner the seconds for which the oldest due step could have been claimed. At most two queries.

    During a pause or a hold the value is zero. After a pause the seconds are counted from its end.
    """
    since = {partner: first for partner, first in since.items() if first}
    if not since:
        return {}
    pauses = list(Pause.objects.filter(Q(resumed_at__gt=min(since.values())) | Q(resumed_at=None)))
    held = {row.partner for row in holds_in_force()}
    found = {}
    for partner, first in since.items():
        own = [pause for pause in pauses if pause.partner == partner]
        paused = partner in held or any(pause.stands(now) for pause in own)
        begins = now if paused else max([first, *(pause.resumed_at or pause.until for pause in own)])
        found[partner] = (now - begins).total_seconds()
    return found


def holds_in_force() -> list[PartnerHold]:
    """Returns the holds that this system set (contract 7.2), by partner's name. One query; none on a test bench."""
    if settings.PARTNER_ANSWERS == "trust":
        return []
    return list(PartnerHold.objects.filter(ended_at=None).order_by("partner"))


def say_held(row: PartnerHold) -> str:
    """Returns `bpm is held since 2023-09-20 18:54 (bpm.start of A1: unproven)`."""
    return f"{row.partner} is held since {_minute(row.since)} ({row.call} of {row.order}: {row.code})"


def why_paused(partner: str, *, now: datetime.datetime) -> str:
    """Returns one line for engineers about a pause in force. Empty if there is none."""
    pause = Pause.objects.in_force(now).filter(partner=partner).first()
    return say_paused(pause) if pause else ""


def say_paused(pause: Pause) -> str:
    """Returns `bigdata is paused since 2023-09-20 18:54 until 2023-09-20 22:00 by command:root (maintenance)`."""
    return f"{pause.partner} is paused {say_when(pause)}"


def say_when(pause: Pause) -> str:
    """Returns `since 2023-09-20 18:54 until 2023-09-20 22:00 by command:root (maintenance)`."""
    until = f" until {_minute(pause.until)}" if pause.until else ""
    return f"since {_minute(pause.since)}{until} by {spoken(pause.paused_by)} ({pause.reason})"


def steps(waiting: int) -> str:
    """Returns `12 steps wait, 3 s to work off at PARTNER_RATE`."""
    wait = f"{waiting} step waits" if waiting == 1 else f"{waiting} steps wait"
    seconds = work_off_seconds(waiting)
    return wait if not waiting or seconds is None else f"{wait}, {seconds} s to work off at PARTNER_RATE"


def _minute(at: datetime.datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"
