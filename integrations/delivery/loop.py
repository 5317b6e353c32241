"""Delivers due steps and mails (contract 3.5, 3.9). Claims, builds, sends and records them until none is left.

A single thread uses the database. It claims steps in batches, passes the calls to other threads, and records the
results in batches. Each partner has its own eight threads, so that a slow partner does not delay other partners.

A received result is kept in memory until the database is available and the result is recorded. If the process dies
before that, the lease expires, and the same bytes are sent again with the same key.
"""

import datetime
import logging
import os
import socket
import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections
from django.db.models import DateTimeField
from django.utils import timezone

from integrations.base.counters import count_call
from integrations.base.database_deadline import Outage, error_line, is_away
from integrations.bpm.kept_callbacks import apply_new_processes
from integrations.delivery.channels import LEASE_RESERVE, build_payloads, longest, send_step
from integrations.delivery.circuit_breaker import PartnerCache, may_probe, next_probe, note_outcomes, open_partners
from integrations.delivery.write_and_send_mail import write_mail
from integrations.outbound import partner_rate
from integrations.outbound.failure_classification import PartnerError
from integrations.outbound.http_client import check_reachable
from integrations.partners.calls import call_of
from integrations.worker.lease_lock import Lease
from integrations.worker.parent_link import ending
from orders.attachments.check import AT_ONCE
from orders.db.compiled_sql import Prepared, Slot
from orders.db.expressions import OneOf
from orders.history.log_facts import log_facts
from orders.models import Attempt, Dispatch
from orders.outbox.outcome import Outcome, Work
from orders.outbox.proven_calls import is_never_repeated
from orders.outbox.release_steps import release
from orders.outbox.retry_schedule import WAITS
from orders.pauses.pause_and_resume import end_pauses, next_end
from orders.rules.steps import OUTSIDE, PARTNERS, Partner, channels_of
from orders.sending.claim import claim, next_due, paused_partners
from orders.sending.mail_claim_and_record import claim_mails, is_mail_due, next_mail_due, record_mails
from orders.sending.record import record_outcomes
from orders.start_day.start_day import activate

CALLS_AT_A_TIME = 8
CLAIMED_AHEAD = 192  # calls claimed before a thread is free, so that threads do not wait for the database
QUICK_SECONDS = 0.25  # calls are claimed ahead only for a partner that answers within this time
BATCH_WAIT = 0.03  # seconds to wait for more results while calls wait for threads: one transaction takes many
RECHECK_AFTER = 0.2  # while calls run: seconds until the next claim for a partner that had no due steps
RECORDS_IN_FLIGHT = 40_000  # records of a partner's claimed calls; their bodies are in memory
ISOLATED_FOR = 4.0  # seconds at a drain's start for steps that lost their worker; each is claimed alone
CLAIM_FOR = 8.0  # seconds after which a drain claims no more; with the time-out of 10 s a drain ends within 20 s
LINGER_AHEAD = datetime.timedelta(seconds=100)  # longer than the sweep's longest interval
LINGER_POLL = 0.5
WORKER = socket.gethostname()[:48]
DUE_STEPS = Prepared(lambda: Dispatch.objects.due(Slot("now", DateTimeField())).order_by().values_list("pk")[:1])
NEWLY_DUE_STEPS = Prepared(
    lambda: (
        Dispatch.objects.due(Slot("now", DateTimeField()))
        .filter(OneOf("channel", "channels"), next_try_at__gt=Slot("since", DateTimeField()))
        .order_by()
        .values_list("pk")[:1]
    )
)
PROBE_FOR = 3.0  # seconds of the connection test before a probe; the loop waits for it
Given = TypeVar("Given")

logger = logging.getLogger(__name__)
outage = Outage(logger, "a drain")


class UnrecordedError(Exception):
    """Outcomes could not be recorded because of an error in our code. Their steps are sent again when their leases
    expire."""


@dataclass
class PartnerPool:
    """A partner's threads. `last_took` is the duration of the last call in seconds. `recheck_at` is the monotonic time
    of the next claim, after a claim has found too few due steps."""

    partner: str
    executor: ThreadPoolExecutor
    threads: int
    in_flight: int = 0
    unsent: int = 0  # calls in flight that wait for a thread, or for a slot within PARTNER_RATE
    records: int = 0  # the records or domains of the calls in flight
    last_took: float = 1.0
    recheck_at: float = 0.0

    def free_calls(self) -> int:
        """Returns the number of calls that may still be claimed for the partner."""
        if self.records >= RECORDS_IN_FLIGHT:
            return 0
        ahead = CLAIMED_AHEAD if self.last_took < QUICK_SECONDS else 0
        room = self.threads + ahead - self.in_flight
        return min(room, settings.PARTNER_RATE - self.unsent) if self.is_rate_limited else room

    @property
    def is_rate_limited(self) -> bool:
        """Returns True if PARTNER_RATE limits the calls to this partner.

        In that case a drain claims at most as many calls ahead as may be sent in one second. A claimed call must be
        sent within its lease, and unsent calls are released at the end of the drain.
        """
        return bool(settings.PARTNER_RATE) and self.partner in OUTSIDE


@dataclass
class ClaimedCall:
    """A claimed call. `until` is the monotonic time at which its lease ends."""

    pool: PartnerPool
    work: Work
    until: float
    sent: bool = False
    took: float = 0.0

    @property
    def start_before(self) -> float:
        """Returns the monotonic time by which the call must start. The lease must outlast the longest call (contract
        3.9, Leases)."""
        return self.until - longest(self.work) - LEASE_RESERVE


@dataclass
class DrainReport:
    """The results of a drain: the numbers of steps and mails that were accepted (`done`), refused (`failed`) or tried
    at all (`tried`).

    `fault` is the error that prevented the recording of outcomes.
    """

    tried: int = 0
    done: int = 0
    failed: int = 0
    again: bool = False  # steps are left or due soon, so another drain is needed
    fault: Exception | None = None


@dataclass
class Drain:
    """A drain. It claims calls for `seconds`. If `seconds` is None, it claims calls until nothing is due.

    `on_progress` is called after each batch. `only` is a step that a person tries (contract 7.3). With `only`, nothing
    else is sent, and the step is sent once.
    """

    seconds: float | None = CLAIM_FOR
    threads: int = CALLS_AT_A_TIME
    linger: bool = True
    only: Dispatch | None = None
    on_progress: Callable[[DrainReport], None] = lambda report: None
    report: DrainReport = field(default_factory=DrainReport)

    def run(self) -> DrainReport:
        """Delivers due steps and mails, and returns the results. With `linger`, also waits for steps that become due
        soon. If another worker already waits for such steps, this run does not wait."""
        self.began = time.monotonic()
        self.calls: dict[Future, ClaimedCall] = {}
        self.breakers = PartnerCache(open_partners)
        self.pauses = PartnerCache(lambda: paused_partners(now=timezone.now()))
        self.has_claimed = False
        self.isolated = False  # the only step in flight has lost its worker before, and so may have killed the process
        threads = {name: AT_ONCE if name == Partner.FILES else self.threads for name in Partner.values}
        self.pools = {
            name: PartnerPool(name, ThreadPoolExecutor(number, f"to-{name}"), number)
            for name, number in threads.items()
        }
        lingering = Lease("linger") if self.linger else None
        try:
            while self._round(lingering):
                pass
        except Exception:  # the claim failed, but calls that were sent before are still recorded
            self._hand_back()
            while self.calls:
                self._collect()
            raise
        finally:
            for pool in self.pools.values():
                pool.executor.shutdown(wait=False, cancel_futures=True)
            if lingering:
                lingering.give_back()
        return self.report

    def _round(self, lingering: Lease | None) -> bool:
        """Claims, starts and collects calls once. Returns False at the end of the run.

        At the end of the run, and while a partner is paused, unsent calls are handed back. This happens before the loop
        waits for results, so that other workers can claim the calls at once.
        """
        over = ending.is_set() or (self.seconds is not None and time.monotonic() - self.began > self.seconds)
        claimed = 0 if over else self._fill()
        if over:
            self._hand_back()
        elif self.calls and (paused := self.pauses.partners()):
            self._hand_back(to=paused)
        if self.calls:
            self._collect()
            return True
        if over:
            self.report.again = True
            return False
        return bool(claimed) or (lingering is not None and self._wait_for_next(lingering))

    def _fill(self) -> int:
        """Claims steps and mails within the partners' limits, and starts their calls. Returns the number of calls."""
        if (self.isolated and self.calls) or (self.only and self.has_claimed):
            return 0
        # Read the clock before the claim, so that `until` is not later than the lease's end in the database.
        until, now = time.monotonic() + settings.DISPATCH_LEASE_SECONDS, timezone.now()
        if not self.calls and not is_due(now=now):  # without a lock, unlike `claim`
            return 0
        rooms = self._free_calls_by_partner()
        if not rooms:
            return 0
        lease = datetime.timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
        lost_first = time.monotonic() - self.began < ISOLATED_FOR
        work = claim(
            build=build_payloads,
            rooms={partner: room for partner, room in rooms.items() if partner != Partner.MAIL},
            now=now,
            lease=lease,
            worker=f"{WORKER}:{os.getpid()}",
            idle=not self.calls,
            lost_first=lost_first,
            down=self.breakers.partners(),
            only=self.only.pk if self.only else 0,
        )
        self.has_claimed = bool(work)
        if not self.only:
            work += self._claim_mails(rooms, work, now=now, lease=lease, lost_first=lost_first)
        self.isolated = any(item.alone for item in work)
        for item in work:
            pool = self.pools[PARTNERS[item.channel]]
            if item.after_loss and pool.partner in OUTSIDE:
                count_call(pool.partner, item.step, "lost", None)
            call = ClaimedCall(pool, item, until)
            self.calls[pool.executor.submit(_call, call, self._ends_at)] = call
            pool.in_flight += 1
            pool.records += item.size
            rooms[pool.partner] -= 1
        for partner, room in rooms.items() if not self.isolated else ():
            self.pools[partner].recheck_at = time.monotonic() + RECHECK_AFTER if room else 0.0
        return len(work)

    def _claim_mails(self, rooms: dict[str, int], work: list[Work], **how) -> list[Work]:
        """Claims mails in addition to these steps. An error does not delay the claimed steps. It is raised only if it
        is temporary and no steps were claimed."""
        if any(item.alone for item in work):
            return []
        try:
            room, idle = rooms.get(Partner.MAIL, 0), not self.calls and not work
            return claim_mails(write=write_mail, room=room, idle=idle, **how)
        except Exception as error:
            if not _is_temporary(error):
                logger.exception("mails can't be claimed")
            elif not work:
                raise
            else:
                logger.warning("mails can't be claimed now: %s", error_line(error))
            return []

    def _free_calls_by_partner(self) -> dict[str, int]:
        """Returns the number of calls that may be claimed for each partner. Partners that may get no call are left out.

        If a partner already has calls, it gets more only if over half of CLAIMED_AHEAD is free, so that calls are
        claimed in batches. While calls run, a partner without due steps is left out for RECHECK_AFTER. If a partner's
        breaker is open, a single probe is allowed once the probe is due. A paused partner gets no calls and no probe.
        """
        rooms, paused = {}, self.pauses.partners()
        for pool in self.pools.values():
            if pool.partner in paused or (self.only and pool.partner != PARTNERS[self.only.channel]):
                continue
            if pool.is_rate_limited:
                pool.unsent = sum(call.pool is pool and not call.sent for call in self.calls.values())
            enough = CLAIMED_AHEAD // 2 if pool.in_flight > self.threads else 0
            if (room := pool.free_calls()) > enough and not (self.calls and time.monotonic() < pool.recheck_at):
                rooms[pool.partner] = room
        for partner in self.breakers.partners() & rooms.keys():
            rooms[partner] = 1 if may_probe(partner, now=timezone.now()) and _may_send_probe(partner) else 0
        return {partner: room for partner, room in rooms.items() if room}

    def _hand_back(self, *, to: Collection[str] | None = None) -> None:
        """Releases the claimed calls that no thread has started. With `to`, releases only calls to these partners."""
        handed = []
        for future, call in list(self.calls.items()):
            if (to is None or call.pool.partner in to) and future.cancel():
                self._forget_call(future)
                handed.append(Outcome.of(call.work, Attempt.Outcome.HANDED_BACK))
        if handed:
            self._record(handed)

    def _forget_call(self, future: Future) -> ClaimedCall:
        call = self.calls.pop(future)
        call.pool.in_flight -= 1
        call.pool.records -= call.work.size
        return call

    def _collect(self) -> None:
        """Waits up to 0.2 s for a result, then records all available results together."""
        wait(self.calls, timeout=0.2, return_when=FIRST_COMPLETED)
        if any(pool.in_flight > pool.threads for pool in self.pools.values()):
            time.sleep(BATCH_WAIT)
        finished = [future for future in self.calls if future.done()]
        outcomes = []
        for future in finished:
            call = self._forget_call(future)
            call.pool.last_took = call.took if call.sent else call.pool.last_took
            outcomes.append(future.result())
        if outcomes:
            # Update the breakers before the outcomes are recorded, because a failure behind an open breaker costs no
            # attempt.
            if self._record(retry_database(lambda: self._report_to_breakers(outcomes))):  # other steps became due
                for pool in self.pools.values():
                    pool.recheck_at = 0.0
            if processes := [outcome.data["process"] for outcome in outcomes if outcome.data.get("process")]:
                apply_new_processes(processes)  # after the record, which stores the process ids that it looks up
            self._count(outcomes)

    def _record(self, outcomes: list[Outcome]) -> int:
        """Records a batch. Returns the number of steps that became due. If outcomes can't be recorded, the run goes on,
        and reports the error when it ends."""
        try:
            return record_safely(outcomes)
        except UnrecordedError as error:
            self.report.fault = error
            return 0

    def _report_to_breakers(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Updates the breakers. Returns the outcomes. If a partner's breaker is open, its transport failures are marked
        `free`, so that they cost no attempt."""
        if note_outcomes(outcomes, now=timezone.now()):
            self.breakers.forget()
        shut = self.breakers.partners()
        if not shut:
            return outcomes
        return [replace(row, free=row.free or row.transport and PARTNERS[row.channel] in shut) for row in outcomes]

    def _count(self, outcomes: list[Outcome]) -> None:
        results = [outcome.result for outcome in outcomes]
        self.report.tried += len(results)
        self.report.done += results.count(Attempt.Outcome.OK)
        self.report.failed += results.count(Attempt.Outcome.REFUSED)
        self.on_progress(self.report)

    def _wait_for_next(self, lingering: Lease) -> bool:
        """Waits for the next step, mail, probe or end of a pause, at most LINGER_POLL seconds. Releases start days and
        steps that became due. Ends pauses that are over.

        Returns False if nothing is due within LINGER_AHEAD, or if another worker holds the lease and so waits already.
        """
        if not lingering.is_free():  # before the queries below, because most workers return here
            return False
        now = timezone.now()
        until = now + LINGER_AHEAD
        moments = (
            next_due(after=now, until=until),
            next_mail_due(after=now, until=until),
            next_probe(after=now),
            next_end(until=until),
        )
        soon = min(filter(None, moments), default=None)
        if soon is None or not lingering.acquire():
            return False
        left = CLAIM_FOR - (time.monotonic() - self.began)
        time.sleep(max(0.0, min((soon - now).total_seconds() + 0.01, LINGER_POLL, left)))
        activate(numbers=None, by="worker", now=timezone.now())
        release(now=timezone.now(), dated=True)
        if end_pauses(now=timezone.now()):
            self.pauses.forget()
        return True

    def _ends_at(self) -> float:
        """Returns the monotonic time after which the run starts no more calls."""
        return float("-inf") if ending.is_set() else self.began + (self.seconds or float("inf"))


def record_safely(outcomes: list[Outcome]) -> int:
    """Records a batch in one transaction. If the transaction fails, records each outcome alone. Returns the number of
    steps that became due.

    All outcomes are tried. Then, if an outcome could not be recorded, raises UnrecordedError. Raises django.db.Error if
    the database stays unavailable.
    """
    mails = [outcome for outcome in outcomes if outcome.mail]
    if mails and len(mails) < len(outcomes):  # steps and mails are recorded in separate transactions
        return record_safely(mails) + record_safely([outcome for outcome in outcomes if not outcome.mail])
    try:
        return retry_database(lambda: _record_together(outcomes))
    except Exception as error:
        if _is_temporary(error):
            raise
        logger.exception("%s outcomes can't be recorded together", len(outcomes))
        found = [_record_alone(outcome) for outcome in outcomes]
        due = [number for number in found if number is not None]
        if len(due) < len(found):
            lost = len(found) - len(due)
            raise UnrecordedError(f"{lost} answers can't be recorded: {error_line(error)}") from error
        return sum(due)


def _record_together(outcomes: list[Outcome]) -> int:
    """Records outcomes, which must be all of steps or all of mails. Returns the number of steps that became due."""
    if not outcomes or not outcomes[0].mail:
        return record_outcomes(outcomes, now=timezone.now())
    record_mails(outcomes, now=timezone.now())
    return 0


def _record_alone(outcome: Outcome) -> int | None:
    """Records one outcome. If that fails, records an internal error instead, so that the step or mail is retried.

    Returns the number of steps that became due, or None if the internal error could not be recorded either.
    """
    fault = f"the answer ({outcome.result}) could not be recorded; see the log"
    bare = replace(
        outcome,
        result=Attempt.Outcome.RETRY,
        code="internal",
        message=fault,
        params={},
        answer="",
        data={},
        unknown=True,
    )
    for attempt in (outcome, bare):
        try:
            return retry_database(lambda: _record_together([attempt]))  # noqa: B023  called at once
        except Exception as error:
            if _is_temporary(error):
                raise
            logger.exception("the outcome of dispatch %s can't be recorded", outcome.dispatch_id)
    return None


def retry_database(act: Callable[[], Given]) -> Given:
    """Calls `act` and returns its result. Repeats the call after temporary errors of the database. An error is
    temporary if the database is unavailable or locked, or cancelled the transaction to break a deadlock.

    After the waits of WAITS["outcome"], raises the error. `act` must be a single transaction, or idempotent.
    """
    for seconds in WAITS["outcome"]:
        try:
            done = act()
        except Error as error:
            if not _is_temporary(error):
                raise
            if is_away(error):
                outage.began(error)
            else:
                logger.warning("the database failed, again in %s s: %s", seconds, error_line(error))
            time.sleep(seconds)
            close_old_connections()
        else:
            outage.over()
            return done
    done = act()
    outage.over()
    return done


def _is_temporary(error: Exception) -> bool:
    """Returns True for a temporary error: a deadlock, a lock, or a database that is unavailable or read-only."""
    return isinstance(error, OperationalError | InterfaceError) or is_away(error)


def _may_send_probe(partner: str) -> bool:
    """Returns True if a step of this partner may be sent to close its breaker.

    If the profile says that starts of BPM are never repeated automatically (contract 7.2), a start must not test the
    connection. Then a HEAD request tests it first. After that, a single start is sent, and its answer closes the
    breaker.
    """
    if partner != Partner.BPM or not is_never_repeated(Dispatch.Step.START_BPM):
        return True
    try:
        check_reachable(call_of("bpm.start").url, timeout=min(PROBE_FOR, settings.PARTNER_TIMEOUT_SECONDS))
    except PartnerError:
        return False
    return True


def is_due(*, now: datetime.datetime) -> bool:
    """Returns True if there may be something to claim. Takes no lock, because most drains have nothing left to
    claim."""
    return bool(DUE_STEPS(now=now)) or is_mail_due(now=now)


def has_come_due(*, since: datetime.datetime) -> bool:
    """Returns True if an unclaimed step or mail came due after `since` and its partner can be called. A partner can't
    be called while it is paused or its breaker is open."""
    now = timezone.now()
    partners = set(Partner.values) - paused_partners(now=now) - set(open_partners())
    channels = [channel for partner in partners for channel in channels_of(partner)]
    if NEWLY_DUE_STEPS(now=now, since=since, channels=channels):
        return True
    return Partner.MAIL in partners and next_mail_due(after=since, until=now) is not None


def _call(call: ClaimedCall, ends_at: Callable[[], float]) -> Outcome:
    """Makes a claimed call within PARTNER_RATE. Runs in a thread. If the call would start too late for its lease,
    returns HANDED_BACK without making the call."""
    late = time.monotonic() > call.start_before  # checked here, because the call may have waited for this thread
    if not late and call.pool.is_rate_limited:
        late = not partner_rate.wait_for_slot(call.pool.partner, latest=min(call.start_before, ends_at()))
    if late:
        return Outcome.of(call.work, Attempt.Outcome.HANDED_BACK)
    call.sent, began, work = True, time.monotonic(), call.work
    facts = {"order": work.order, "partner": call.pool.partner, "step": work.step}
    with log_facts(**facts, trace=work.trace, request=work.request_id, key=work.key, attempt=work.attempt):
        outcome = send_step(work)
        call.took = time.monotonic() - began
        if call.pool.partner in OUTSIDE:
            _count_and_log(call, outcome)
    return outcome


def _count_and_log(call: ClaimedCall, outcome: Outcome) -> None:
    """Counts the call and logs a line about it."""
    word, partner, work = _outcome_word(outcome), call.pool.partner, call.work
    count_call(partner, work.step, word, call.took)
    logger.info(
        "%s %s of %s: %s in %.3f s%s",
        *(partner, work.step, work.order, word, call.took, f", {outcome.code}" if outcome.code else ""),
        extra={"outcome": word, "seconds": round(call.took, 4), "code": outcome.code, "status": outcome.http_status},
    )


def _outcome_word(outcome: Outcome) -> str:
    """Returns the outcome's label in /metrics and the log (contract 6)."""
    if outcome.result == Attempt.Outcome.RETRY:
        return "unknown" if outcome.unknown else "retried"
    return "done" if outcome.result == Attempt.Outcome.OK else "refused"


def drain(*, seconds: float | None = CLAIM_FOR, linger: bool = True, **options) -> DrainReport:
    """Runs a `Drain` with these options. Returns its results."""
    return Drain(seconds=seconds, linger=linger, **options).run()
