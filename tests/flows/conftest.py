"""One desk in one process: the real endpoint, the real delivery, and the sandbox over real HTTP. Only the test moves
the clock."""

import csv
import datetime
import json

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.utils import timezone

from integrations.delivery.channels import build_payloads
from integrations.delivery.loop import drain
from integrations.delivery.write_and_send_mail import write_mail
from notifications.models import Mail
from orders.history.states import may_move
from orders.intake.replan_held_orders import settle_arrived
from orders.models import AffectedOrder, Dispatch, Order, OrderEvent
from orders.models.dispatch import OPEN_STATES
from orders.outbox.outcome import Outcome, Work
from orders.outbox.release_steps import release
from orders.queries.order_status import current_steps, order_status
from orders.sending.claim import claim
from orders.sending.end_moves import end_moves
from orders.sending.mail_claim_and_record import claim_mails, record_mails
from orders.sending.record import record_outcomes
from orders.start_day.start_day import activate
from orders.trials.expired_trials import end_trials
from orders.undoing.start import close_abandoned
from tests.bboss_messages import accepted, post_order
from tests.bpm_messages import approval, post_signed
from tests.conftest import shanghai
from tests.flows.contents import activation, trial

BILLING, DELETE = "/bigdata/productInfos", "/bigdata/productInfos/delete"
COLUMNS = (
    *("jobId", "productId", "domain", "enterpriseId", "infoType", "billingMethod", "businessType"),
    *("cancelStatus", "cancelTime", "createTime", "enterpriseName", "province"),
)
QUERY, USAGE, BPM = "/bigdata/productInfos/query", "/bigdata/trialFlow/query", "/bpm/flows/start"


class Desk:
    """The tools of a flow test: they post messages, deliver steps and read the results."""

    def __init__(self, client, clock, sandbox):
        self.client, self.clock, self.sandbox = client, clock, sandbox

    def post(self, content: dict, **overrides) -> dict:
        """Posts the content, expects 00000, and returns the reply."""
        reply = post_order(self.client, content, **overrides)
        assert accepted(reply), reply
        return reply

    def deliver(self, *, after: float = 0):
        """Delivers everything that is due at the clock's time, or `after` seconds later."""
        self.clock.shift(after)
        return drain(seconds=None, linger=False)

    def command(self, *words: str, **options):
        """Runs a command, and delivers what it causes."""
        call_command(*words, **options)
        self.deliver()

    def staff(self, service, number: str, **more):
        """Runs the service for a person's decision about an order, and delivers the steps that follow."""
        service(number=number, reason="客户经理确认", by="command:test", now=timezone.now(), **more)
        self.deliver()

    def at(self, text: str):
        """Moves the clock to a wall-clock time in Shanghai, or to an ISO time with its zone."""
        self.clock.move_to(shanghai(text) if "+" not in text else text)

    def play(self, *contents: dict):
        """Posts each content and delivers the steps that it causes."""
        for content in contents:
            self.post(content)
            self.deliver()

    def refused(self, content: dict, **overrides) -> tuple[str, str]:
        """Posts the content, expects a refusal, and returns (rspCode, BizCode)."""
        reply = post_order(self.client, content, **overrides)
        assert not accepted(reply), reply
        result = json.loads(reply["result"]) if reply["result"] else {}
        return reply["response"]["rspCode"], result.get("BizCode", "")

    def sweep(self, at: str = "", *, after: float = 0):
        """Does the work of the minutely sweep and then a delivery: now, at the time `at`, or `after` seconds later."""
        if at:
            self.at(at)
        self.clock.shift(after)
        now = timezone.now()
        settle_arrived(now=now)
        end_moves(now=now)
        activate(numbers=None, by="sweep", now=now)
        end_trials(now=now)
        close_abandoned(now=now)
        release(now=now)
        self.deliver()

    def wait(self) -> bool:
        """Moves the clock to the next retry or query, and delivers. Returns False if nothing is left except start
        days."""
        now = timezone.now()
        tries = Dispatch.objects.filter(state__in=OPEN_STATES, next_try_at__gt=now)
        looks = Dispatch.objects.filter(Q(undo=True) | Q(step="ask_billing"), state="waiting", not_before__gt=now)
        mails = Mail.objects.filter(next_try_at__gt=now).values_list("next_try_at", flat=True)
        moments = [*mails, *tries.values_list("next_try_at", flat=True), *looks.values_list("not_before", flat=True)]
        if not moments:
            return False
        self.clock.move_to(min(moments))
        release(now=timezone.now(), dated=True)
        self.deliver()
        return True

    def wait_out(self):
        """Delivers what is due, then waits until nothing is left to do."""
        self.deliver()
        for _ in range(60):
            if not self.wait():
                return
        raise AssertionError("it never ends")

    def claim(self, *partners: str, lease: float = 60, **how) -> list[Work]:
        """Claims by hand, as a worker does, everything due for these partners. The default is bigdata."""
        rooms = dict.fromkeys(partners or ["bigdata"], 50)
        now, kept = timezone.now(), datetime.timedelta(seconds=lease)
        work = claim(build=build_payloads, rooms=rooms, now=now, lease=kept, worker="by-hand", **how)
        return work + claim_mails(write=write_mail, room=rooms.get("mail", 0), now=now, lease=kept)

    def in_the_air(self, partner: str = "bpm") -> Work:
        """Ends by hand, as accepted, all steps that come before a call to this partner. Then claims the call and
        returns its work."""
        while not (works := self.claim(partner)):
            for work in self.claim("bigdata", "bpm"):
                self.end(work)
        return works[0]

    def end(self, work: Work, result: str = "ok", **more):
        """Records how a call claimed by hand ended. If the call will be tried again, it is unknown whether the call
        acted."""
        more = {"unknown": result == "retry"} | more
        record = record_mails if work.mail else record_outcomes
        record([Outcome.of(work, result, **more)], now=timezone.now())

    def approve(self, number: str, result: str = "pass", record: str = "bpm-1-1", *, finished: bool = True, **more):
        """Sends BPM's callback and returns the HTTP status of the answer."""
        body = approval(number, recordId=record, result=result, finished=finished, **more)
        return post_signed(self.client, json.dumps(body, ensure_ascii=False).encode()).status_code

    def decided(self, number: str, *args, **more):
        """Sends BPM's callback as `approve` does, expects HTTP 200, and delivers the steps that follow."""
        assert self.approve(number, *args, **more) == 200
        self.deliver()

    def state(self, number: str) -> str:
        return self.order(number).state

    def step(self, number: str, name: str, *, undo: bool = False) -> Dispatch | Mail:
        """Returns the order's last step of this name that is not superseded, or its last mail of this name."""
        if name.startswith("mail_"):
            return Mail.objects.filter(order__number=number, kind=name).order_by("pk").last()
        rows = Dispatch.objects.filter(order__number=number, step=name, superseded=False, undo=undo)
        return rows.order_by("position", "pk").last()

    def steps(self, number: str, *, mails: bool = False) -> list[str]:
        """Returns `name:state` of each step that is not superseded, in order."""
        rows = current_steps(self.order(number))
        return [f"{row.step}:{row.state}" for row in rows if mails or row.channel != "mail"]

    def troubles(self, number: str) -> list[str]:
        """Returns the codes of the incidents that stop the order now."""
        rows = AffectedOrder.objects.filter(order__number=number, closed_at=None).order_by("pk")
        return list(rows.values_list("incident__code", flat=True))

    def mails(self, number: str, step: str) -> int:
        return Mail.objects.filter(order__number=number, kind=step).count()

    def events(self, number: str, kind: str) -> list[dict]:
        return [row.data for row in OrderEvent.objects.filter(order__number=number, kind=kind).order_by("pk")]

    def records(self, number: str) -> dict[str, str]:
        """Returns our billing records of a jobId: {domain: state}."""
        return {row.domain: row.state for row in self.order(number).billing_records.order_by("pk")}

    def held_there(self, number: str) -> dict[str, dict]:
        """Returns the big-data side's records of a jobId: {domain: record}."""
        return {row["domain"]: row for row in self.sandbox.partners.store.records(number)}

    def alive_there(self, number: str) -> list[str]:
        """Returns the domains for which the big-data side has a live record."""
        return sorted(name for name, row in self.held_there(number).items() if row["cancelStatus"] == "1")

    def billed(self) -> list[tuple[str, str, list[str]]]:
        """Returns the big-data calls that write records, in order: (verb, jobId, domains)."""
        verbs = {BILLING: {"1": "create", "2": "cancel"}, DELETE: {}}
        found = []
        for call in self.sandbox.calls():
            if call["path"] in verbs:
                rows = call["body"]["productInfos"]
                verb = verbs[call["path"]].get(rows[0].get("cancelStatus"), "delete")
                found.append((verb, rows[0]["jobId"], [row["domain"] for row in rows]))
        return found

    def knows(self, number: str) -> bool:
        return Order.objects.filter(number=number).exists()

    def order(self, number: str) -> Order:
        return Order.objects.get(number=number)

    def standing(self, number: str) -> dict:
        return order_status(self.order(number))

    def sent(self, path: str) -> list[dict]:
        """Returns the bodies that arrived at a partner's address, in order of arrival."""
        return [call["body"] for call in self.sandbox.calls(path=path)]

    def play_case(self, case: dict, *, extra: dict | None = None):
        """Posts and delivers the setup of an acceptance case, then its order, at the times that the case names."""
        if "clock_setup" in case:
            self.at(case["clock_setup"])
        for content in case.get("setup", []):
            self.post(content)
            self.deliver()
        self.at(case["clock"])
        self.post(case["content"] | (extra or {}))
        self.deliver()


@pytest.fixture
def desk(client, clock, sandbox, db, settings, tmp_path):
    settings.ATTACHMENT_DIR = tmp_path
    desk = Desk(client, clock, sandbox)
    yield desk
    check_history()
    check_sizes()
    assert sandbox.state()["violations"] == []


@pytest.fixture
def trialing(desk):
    """The desk has a running trial T1 of `a.example.com`."""
    desk.play(trial())


@pytest.fixture
def active(trialing, desk):
    """The desk has the running trial T1 and its activation A1."""
    desk.play(activation())


def code_of(*words: str, **options) -> int:
    """Returns the exit code of a command."""
    try:
        call_command(*words, **options)
    except CommandError as error:
        return error.returncode
    return 0


def now() -> str:
    return f"{timezone.localtime():%Y-%m-%dT%H:%M}"


def seen(path, as_of="") -> tuple[str, ...]:
    return ("--file", path, "--as-of", as_of or now())


class Books:
    """Runs `reconcile` and changes the big-data side's store, so that a test can put wrong data into the store."""

    def __init__(self, desk, capsys):
        self.desk, self.capsys = desk, capsys
        self.store = desk.sandbox.partners.store

    def reconcile(self, *words: str) -> tuple[int, list[str]]:
        """Runs `reconcile` and returns the exit code and the printed lines."""
        return code_of("reconcile", *words, by="test"), self.capsys.readouterr().out.splitlines()

    def fix(self, *words: str) -> list[str]:
        """Runs `reconcile --fix`, delivers the steps of the fix, and returns the printed lines."""
        _, lines = self.reconcile(*words, "--fix")
        self.desk.deliver()
        return lines

    def held(self, job: str) -> dict:
        (record,) = self.store.records(job)
        return record

    def put(self, job: str, **changes) -> dict:
        """Changes the big-data side's record of an order, and returns the record as it was."""
        record = self.held(job)
        self.store.delete_record(record)
        self.store.put_record(record | changes)
        return record

    def lose(self, job: str) -> dict:
        """Removes the big-data side's record of an order, and returns the record."""
        record = self.held(job)
        self.store.delete_record(record)
        return record

    def live(self, domain: str = "a.example.com") -> list[str]:
        """Returns the jobIds of the domain's live records at the big-data side, commercial and trial."""
        rows = [row for row in self.store.records() if row["domain"] == domain and row["cancelStatus"] == "1"]
        return sorted(row["jobId"] for row in rows)


@pytest.fixture
def books(desk, capsys):
    return Books(desk, capsys)


@pytest.fixture
def held_file(desk, tmp_path):
    """Returns a function that writes the big-data side's records, or the given rows, to a file, and returns the file's
    path."""

    def write(rows=None, columns=COLUMNS, encoding="utf-8"):
        rows = desk.sandbox.partners.store.records() if rows is None else rows
        return write_records(tmp_path / "held.csv", rows, columns, encoding)

    return write


def write_records(path, rows, columns=COLUMNS, encoding="utf-8") -> str:
    """Writes a file of the big-data side's records, and returns its path."""
    with path.open("w", encoding=encoding, newline="") as out:
        lines = csv.DictWriter(out, columns, extrasaction="ignore")
        lines.writeheader()
        lines.writerows(rows)
    return str(path)


def check_history():
    """Checks that every change of an order's state was allowed and has an event, and that `state_since` agrees with
    the events."""
    for order in Order.objects.all():
        events = OrderEvent.objects.filter(order=order, kind__in=["received", "state"]).order_by("pk")
        state, since = None, None
        for event in events:
            since = event.at
            if event.kind == "received":
                state = event.data["state"]
                continue
            old, new = event.data["old"], event.data["new"]
            assert state in {None, old}, f"{order.number}: {old} -> {new}, but it was {state}"
            assert may_move(order.kind, old, new), f"{order.number} must not go from {old} to {new}"
            state = new
        assert state in {None, order.state}, f"{order.number} is {order.state}, its history says {state}"
        assert since is None or order.state_since in {None, since}, f"{order.number} is {order.state} since {since}"


def check_sizes():
    """Checks that each billing step has the right size. Claims are limited by the sizes of steps, so the code that
    creates a step must set its size."""
    # an `ask_billing` step has the size of the step that it is about
    rows = Dispatch.objects.filter(channel="billing").exclude(step="ask_billing")
    wrong = [row for row in rows if not has_its_size(row)]
    assert not wrong, [(row.order.number, row.step, row.size) for row in wrong]


def has_its_size(row: Dispatch) -> bool:
    """Returns True if the size of a billing step is right. A step on a trial's records chooses them at its first
    attempt. Until then, its size may be larger than the final number of records, but at most the trial's number of
    records."""
    if row.attempts or row.lane is None:
        return row.size == billing_size(row)
    return billing_size(row) <= row.size <= (row.order.trial or row.order).billing_records.count()


def billing_size(row: Dispatch) -> int:
    """Returns the number of records that a billing step is about."""
    return len(row.records) or len(row.fixes or row.named or [])
