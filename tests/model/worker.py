"""The acts of a worker (claim, call, record, sweep), its faults, and the passing of time."""

import datetime
from collections import deque
from dataclasses import dataclass, replace

from django.conf import settings
from django.db.models import DateTimeField, Q
from django.utils import timezone

from integrations.delivery.channels import build_payloads, send_step
from integrations.delivery.circuit_breaker import may_probe, note_outcomes
from integrations.delivery.loop import LEASE_RESERVE, _may_send_probe, record_safely
from integrations.models import Breaker
from notifications.models import Mail
from orders.attachments.check import FileProblem
from orders.attachments.files_hold import recheck_files
from orders.db.compiled_sql import Prepared, Slot
from orders.intake.replan_held_orders import settle_arrived
from orders.models import Attempt, Dispatch, Order, Pause
from orders.models.dispatch import OPEN_STATES
from orders.outbox.outcome import Outcome, Work
from orders.outbox.release_steps import release
from orders.pauses.pause_and_resume import end_pauses, remind_of_pauses
from orders.reconciliation.number_list import close_known
from orders.rules.steps import PARTNERS
from orders.sending.claim import claim
from orders.sending.end_moves import end_moves
from orders.sending.mail_claim_and_record import claim_mails, is_mail_due
from orders.sending.reread_answers import resume_partner
from orders.start_day.start_day import activate
from orders.trials.expired_trials import end_trials
from orders.undoing.start import close_abandoned
from tests.model.acts import WrongError, act
from tests.model.messages import names
from tests.model.truth import check_claimed

NOW = Slot("now", DateTimeField())
ALL = ("bigdata", "bpm", "mail", "files")
MOST_ROUNDS = 60
DUE = Prepared(lambda: Dispatch.objects.filter(state__in=OPEN_STATES, next_try_at__lte=NOW).values_list("pk")[:1])
SHUT = Prepared(lambda: Breaker.objects.filter(opened_at__isnull=False).values_list("partner"))  # like `open_partners`
WAITING = Prepared(lambda: Dispatch.objects.filter(state="waiting").values_list("pk")[:1])
UNSETTLED = Prepared(
    lambda: Order.objects.filter(held_because__in=["trial_unknown", "trial_closed"]).values_list("pk")[:1]
)
DAY_COME = Prepared(lambda: Order.objects.filter(state="scheduled").values_list("pk")[:1])
ABANDONED = Prepared(
    lambda: Dispatch.objects.filter(
        Q(order__undo_since__isnull=False) | Q(superseded=True), state="sending"
    ).values_list("pk")[:1]
)
ENDING = Prepared(lambda: Order.objects.filter(biz_end__isnull=False).values_list("pk")[:1])
LOOKS = ["verify_deleted", "ask_billing"]  # steps that query the partner again after ten minutes
LOOKED_AT = Q(state="retrying", step="check_files")  # checked every five minutes while the files are wrong
COMING = {
    "tries": Prepared(
        lambda: (
            Dispatch.objects.filter(~LOOKED_AT, state__in=OPEN_STATES, next_try_at__gt=NOW)
            .order_by("next_try_at")
            .values_list("next_try_at")[:1]
        )
    ),
    "mails": Prepared(
        lambda: Mail.objects.filter(next_try_at__gt=NOW).order_by("next_try_at").values_list("next_try_at")[:1]
    ),
    "looks": Prepared(
        lambda: (
            Dispatch.objects.filter(state="waiting", step__in=LOOKS, not_before__gt=NOW)
            .order_by("not_before")
            .values_list("not_before")[:1]
        )
    ),
    "probes": Prepared(
        lambda: Breaker.objects.filter(probe_at__gt=NOW).order_by("probe_at").values_list("probe_at")[:1]
    ),
    "pauses": Prepared(
        lambda: Pause.objects.not_ended().filter(until__gt=NOW).order_by("until").values_list("until")[:1]
    ),
    "days": Prepared(
        lambda: (
            Order.objects.filter(state="scheduled", start_at__gt=NOW).order_by("start_at").values_list("start_at")[:1]
        )
    ),
}


def _write_mail(mail, domains) -> None:
    mail.subject, mail.body, mail.recipients = mail.kind, mail.kind, ["sa@example.com"]


@dataclass
class Flight:
    """A claimed call on its way. `outcome` is None until the call was made."""

    work: Work
    outcome: Outcome | None = None


class Worker:
    """Plays the worker in single stages: claim, call and record."""

    def __init__(self):
        self.air: list[Flight] = []
        self.mail_fates: deque[str] = deque()
        self.wrong_files: set[str] = set()
        self.ends = False
        self.paused: dict[str, datetime.datetime | None] = {}  # by partner: the pause's end that staff gave

    @act
    def claim(self, *partners: str, room: int = 50):
        """Claims due steps and mails. Makes no call yet."""
        self.air += self._claim(partners, room)

    @act
    def call(self, *fates: str):
        """Makes the claimed calls, and records nothing yet.

        `fates` are the outcomes (keys of `partner.FATES`) of the first calls.
        """
        self._call([flight for flight in self.air if flight.outcome is None], fates)

    @act
    def land(self):
        """Records the outcomes of the calls that were made."""
        landed = [flight for flight in self.air if flight.outcome]
        self.air = [flight for flight in self.air if flight.outcome is None]
        self._record(landed)

    @act
    def die(self):
        """Kills the worker before it records any of its claimed calls."""
        self.air.clear()

    @act
    def deliver(self, *partners: str, fates: tuple[str, ...] = (), room: int = 50):
        """Delivers everything that is due for these partners, or for all partners if none is given.

        `fates` are the outcomes (keys of `partner.FATES`) of the first calls.
        """
        for _ in range(MOST_ROUNDS):
            flights = self._claim(partners, room)
            if not flights:
                return
            fates = self._call(flights, fates)
            self._record(flights)
        raise WrongError("it ends", "what is due never gets less")

    @act
    def sweep(self):
        """Does the work of the periodic sweep."""
        now = timezone.now()
        if self.paused:
            end_pauses(now=now)
            remind_of_pauses(now=now)
        if UNSETTLED():
            settle_arrived(now=now)
        close_known(now=now)
        end_moves(now=now)
        if DAY_COME():
            activate(numbers=None, by="sweep", now=now)
        if ENDING():
            end_trials(now=now)
        if ABANDONED():
            close_abandoned(now=now)
        if WAITING():
            release(now=now)

    @act
    def run_day(self, number: str):
        """Runs an order's scheduled job, like `activate ORDER`."""
        return "" if activate(numbers=[number], by="schedule", now=timezone.now()) else "nothing to do"

    @act
    def files_come(self, number: str):
        """Corrects the order's files and checks them again."""
        self.wrong_files.discard(number)
        recheck_files(numbers=[number], now=timezone.now())

    @act
    def wait(self, seconds: float):
        """Moves the clock forward. A negative number sets the clock back."""
        self._move(seconds)

    @act
    def next_moment(self):
        """Moves the clock to the next moment at which something is due, such as a retry or a look-up.

        Ignores start days.
        """
        self._to_next(days=False)

    @act
    def partner(self, *, strict=False, stubborn=False, forgetful=False, zero=False):
        """Sets properties of the partners.

        With `strict`, big data refuses to cancel a record that it does not have. With `stubborn`, partners repeat
        their first answer to a key forever. With `forgetful`, BPM ignores keys. With `zero`, BPM reports success by
        code 0.
        """
        self.wire.be_strict(strict)
        self.wire.stubborn, self.wire.forgetful, self.wire.zero = stubborn, forgetful, zero
        if forgetful:
            self.profile(ask=True)

    @act
    def refuses(self, kind: str = "", domains: str = ""):
        """Makes big data refuse calls of this kind (`live`, `cancel`, `delete`) about any of these domains, in
        addition to earlier refusals. Without arguments, removes all refusals."""
        if not kind:
            self.wire.refused.clear()
        self.wire.refused |= {(kind, name.lower()) for name in names(domains)}

    @act
    def play_out(self):
        """Delivers what is due and moves the clock, until only start days are left. The partners' faults stay."""
        self._play_out(days=False)

    @act
    def stalled(self):
        """Makes the partner carry out the calls that had timed out."""
        self.wire.carry_out_stalled()

    # --- parts

    def paused_partners(self, now: datetime.datetime) -> list[str]:
        """Returns the partners that are paused at this time."""
        return [partner for partner, until in self.paused.items() if until is None or until > now]

    def _claim(self, partners: tuple[str, ...], room: int) -> list[Flight]:
        now = timezone.now()
        if not is_something_due(now):
            return []
        rooms = dict.fromkeys(partners or ALL, room)
        for shut in set(SHUT()) & rooms.keys():
            rooms[shut] = int(may_probe(shut, now=now) and _may_send_probe(shut))
        lease = datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
        work = (
            claim(build=build_payloads, rooms=rooms, now=now, lease=lease, worker="model", down=SHUT())
            if DUE(now=now)
            else []
        )
        if not any(item.alone for item in work):
            work += claim_mails(write=_write_mail, room=rooms.get("mail", 0), now=now, lease=lease, idle=not work)
        self.watch_claim(work, [flight.work for flight in self.air], now)
        for item in work:
            check_claimed(item, self.air, now)
            if PARTNERS[item.channel] in self.paused_partners(now):
                raise WrongError("nothing is sent to a paused partner", item.step)
        return [Flight(item) for item in work]

    def _call(self, flights: list[Flight], fates: tuple[str, ...]) -> tuple[str, ...]:
        """Makes the calls. `fates` are the outcomes (keys of `partner.FATES`) of the first calls.

        Returns the unused outcomes. Partners and mail server use the same list.
        """
        self.wire.fates.clear()
        self.mail_fates.clear()
        self.wire.fates.extend(fates)
        self.mail_fates.extend(fate if fate in {"ok", "refuse"} else "retry" for fate in fates)
        for flight in flights:
            left = (flight.work.lease_until - timezone.now()).total_seconds()
            if left < settings.PARTNER_TIMEOUT_SECONDS + LEASE_RESERVE:  # as in integrations.delivery.loop._call
                flight.outcome = _handed_back(flight.work)
            else:
                flight.outcome = send_step(flight.work)
        left = tuple(self.wire.fates)
        self.wire.fates.clear()
        self.mail_fates.clear()
        return left

    def _record(self, flights: list[Flight]) -> None:
        """Records outcomes as integrations.delivery.loop does. Updates the breakers first."""
        outcomes = [flight.outcome for flight in flights]
        if not outcomes:
            return
        note_outcomes(outcomes, now=timezone.now())
        if shut := set(SHUT()):
            outcomes = [replace(row, free=row.transport and PARTNERS[row.channel] in shut) for row in outcomes]
        self.watch_recording(outcomes, lambda: record_safely(outcomes))

    def look_at_files(self, *, order_number: str, files: dict):
        """Replaces orders.attachments.check.check_files. Returns a problem while the order's files are wrong."""
        if order_number in self.wrong_files:
            return [FileProblem(code="missing", file=order_number, message="it is not there")]
        return []

    def _move(self, seconds: float) -> None:
        self.clock.shift(seconds)
        self.note_books()
        self.wire.carry_out_stalled(now=timezone.now())

    def _to_next(self, *, days: bool) -> bool:
        """Moves the clock to the next event. Returns False if there is none."""
        now = timezone.now()
        moments = [moment for name, query in COMING.items() if days or name != "days" for moment in query(now=now)]
        moments += [ripe for ripe, _ in self.wire.stalled]
        if not moments:
            return False
        self._move((min(moments) - now).total_seconds() + 0.001)
        return True

    def has_days(self) -> bool:
        """Returns True if a start day is in the future."""
        return bool(COMING["days"](now=timezone.now()))

    def calm(self, *, days: bool = False) -> None:
        """Repairs the partners, ends all pauses, and works until nothing is left. With `days`, start days pass too.

        This is a part of other acts, not an act.
        """
        self.wire.heal()
        for partner in self.paused_partners(timezone.now()):
            resume_partner(partner=partner, by="staff:model", now=timezone.now())
        end_pauses(now=timezone.now())
        self.paused.clear()
        self.dies_at = 0
        self.call()
        self.land()
        self._play_out(days=days, resumed=True)

    def _play_out(self, *, days: bool, resumed: bool = False) -> None:
        """Works until nothing is due.

        With `days`, start days pass too. With `resumed`, resumes held partners in each round.
        """
        for _ in range(MOST_ROUNDS):
            self.sweep()
            if resumed:
                self.let_go()
            self.deliver()
            if not self._to_next(days=days):
                self.sweep()  # orders that arrived after their last day end too
                if not is_something_due(timezone.now()):
                    return
        raise WrongError("it ends", "something is always to come")


def is_something_due(now: datetime.datetime) -> bool:
    return bool(DUE(now=now)) or is_mail_due(now=now)


def _handed_back(work: Work) -> Outcome:
    return Outcome.of(work, Attempt.Outcome.HANDED_BACK)
