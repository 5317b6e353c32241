"""Partners whose interfaces differ from the default, and a desk whose profile may know this (contract 7).

Such an interface is called a dialect. BBOSS's messages and BPM's callbacks are made by the partners' profile and
posted to the desk's addresses. The desk's calls go over real HTTP to the sandbox, which uses the same profile. No call
is trusted before it is proven.
"""

import contextlib
import json

import pytest
from django.utils import timezone

from integrations.bboss.sample_envelope import body_of, signed_envelope
from integrations.partners.profile import Profile, load_profile, read_profile
from integrations.sandbox.send_callback import callback_for
from notifications.models import Contact
from orders.activation import run_job
from orders.models import AffectedOrder, Dispatch, OrderEvent, PartnerHold, TrialUsage
from orders.outbox import proven_calls
from orders.outbox.outcome import DOUBTS
from tests.bboss_messages import URL as BBOSS
from tests.bboss_messages import accepted
from tests.bpm_messages import URL as BPM
from tests.conftest import point_at
from tests.fakes import RunningSandbox
from tests.files.books import book, write
from tests.flows.conftest import DELETE, Desk, check_history, code_of, seen, write_records

USAGE = "fetch_usage"


class DialectDesk(Desk):
    """A desk with a profile file. `theirs` is the profile that the partners use."""

    def __init__(self, client, clock, sandbox, settings, file, cases):
        super().__init__(client, clock, sandbox)
        self.settings, self.file, self.cases = settings, file, cases
        self.theirs, self.lines, self.heeded = Profile(), {}, []
        self.heed = lambda: None

    def know(self, text: str):
        """Replaces all lines of the profile file by this text, and loads the file."""
        self.file.write_text(text, encoding="utf-8")
        self.settings.PARTNERS = load_profile(self.file)

    # --- what the partners send

    def message(self, content: dict | str, **overrides) -> tuple[bytes, str]:
        how = self.theirs.bboss
        return body_of(signed_envelope(content, now=timezone.now(), overrides=overrides, how=how), how)

    def send(self, content: dict | str, **overrides):
        """Posts a message as BBOSS. Returns the response."""
        body, kind = self.message(content, **overrides)
        return self.client.generic("POST", (*self.theirs.bboss.paths, BBOSS)[0], body, CONTENT_TYPE=kind)

    def post(self, content: dict, **overrides) -> dict:
        reply = json.loads(self.send(content, **overrides).content.decode(self.theirs.bboss.reply.charset))
        assert accepted(reply), reply
        return reply

    def callback(self, number: str, result: str = "pass", **asked):
        """Returns a function that posts BPM's callback, the same each time, and returns the HTTP status."""
        how, asked = self.theirs.bpm.callback, {"code": number, "result": result} | asked
        _sent, body, headers = callback_for(self.sandbox.partners.store, asked, how)
        how_sent = {"content_type": "application/json", "headers": headers}
        return lambda: self.client.post((*how.paths, BPM)[0], body, **how_sent).status_code

    # --- the three cases

    def play_cases(self, change=lambda content: content, heed=lambda: None, told=lambda callback: callback()):
        """Plays all three cases, from the first trial to the start day of the third case.

        `change` changes the content of each message. `heed` is what people do whenever the desk has done what it can.
        `told` posts BPM's callback.
        """
        self.heed = heed
        one, two, three = self.cases
        for contact in two["contacts"]:
            Contact.objects.create(attribution_id=contact["attribution"], **without(contact, "attribution"))
        for name in two["files"]:
            write(self.settings.ATTACHMENT_DIR, name, book())
        for case in self.cases:
            for content in case.get("setup", []):
                self.at(case["clock_setup"])
                self.go_on(change(content))
            self.at(case["clock"])
            self.go_on(change(case["content"]))
            if case is two:
                self.at(two["expect"]["approval_clock"])
                asked = {name: two["expect"]["approval"][name] for name in ("node", "operator", "opinion", "finished")}
                assert told(self.callback(two["content"]["OrderNum"], **asked)) == 200
                self.deliver()
                self.heed()
        self.at(three["expect"]["at_start_clock"])
        run_job(three["content"]["OrderNum"])
        self.deliver()
        self.heed()

    def go_on(self, content: dict):
        self.post(content)
        self.deliver()
        self.heed()

    def check_books(self):
        """Asserts that each record and each process is as the cases expect, on the desk and at the partners.

        Nothing may be in doubt or in an open incident.
        """
        records = {(row["jobId"], row["domain"]): row for row in self.sandbox.state()["records"]}
        for case in self.cases:
            for name in ("billing", "billing_after_approval", "billing_at_start"):
                for row in (row for batch in case["expect"].get(name, []) for row in batch):
                    row = row if row["cancelStatus"] == "1" else row | {"createTime": records[_name(row)]["createTime"]}
                    if row["cancelStatus"] == "2" or _name(row) not in _cancelled(self.cases):
                        assert records[_name(row)] == row
            number = case["content"]["OrderNum"]
            assert self.state(number) == "active"
            started = [row["body"] for row in self.sandbox.state()["processes"] if row["code"] == number]
            assert started == case["expect"]["bpm"]
        usage = TrialUsage.objects.filter(trial__number=self.cases[0]["content"]["BizRequest"])
        assert [row.data_flow for row in usage] == ([0] if self.theirs.bigdata.traffic.path else [])
        assert self.compare() == 0
        assert not AffectedOrder.objects.unresolved().exists()
        self.check_no_harm()

    def compare(self) -> int:
        """Returns the exit code of a comparison of all orders. If the partner has no look-up, compares with a file."""
        return code_of("reconcile", *([] if self.theirs.bigdata.query.path else self.seen_there()), by="test")

    def check_no_harm(self):
        """Asserts that nothing was deleted or undone, and that no process was started twice."""
        assert self.sent(DELETE) == []
        assert not OrderEvent.objects.filter(kind__startswith="undo").exists()
        state = self.sandbox.state()
        assert state["violations"] == []
        codes = [row["code"] for row in state["processes"]]
        assert len(codes) == len({*codes})

    # --- what people do

    def heed_incidents(self):
        """Plays a person until no order is stopped.

        The person asks the partner the incident's question. If the partner did act, the person adds a line to the
        profile file. The incident suggests this line, which reads the answer as a success. Otherwise the words of the
        answer say what is wrong. In this case the person writes the lines that the partner's people name into the
        file. In both cases the call is sent again. `self.heeded` has `suggested` or `asked` for each round.
        """
        for _ in range(12):
            self.check_no_harm()
            stopped = [row.order.number for row in AffectedOrder.objects.unresolved().order_by("pk")]
            tried = Dispatch.objects.filter(state="retrying", channel__in=["billing", "bpm"]).exclude(step=USAGE)
            stopped += tried.values_list("order__number", flat=True)
            if not stopped:
                assert not PartnerHold.objects.filter(ended_at=None).exists()
                return
            suggested = [line for number in stopped if (line := self.line_of(number))]
            self.heeded.append("suggested" if suggested else "asked")
            self.lines |= {line.partition(" = ")[0]: line for line in suggested}
            self.know("\n".join(self.lines.values()) if suggested else self.their_lines)
            for row in PartnerHold.objects.filter(ended_at=None):
                self.command("resume", row.partner)
            for number in filter(self.is_stopped, stopped):
                new = {*self.troubles(number)} & DOUBTS and not suggested
                self.command("resend", number, *(["--new", "--reason", "BPM 说没有"] if new else []))
        raise AssertionError(f"it does not go on: {self.file.read_text()}")

    def seen_there(self) -> tuple[str, ...]:
        """Returns what a person finds at the big-data side, as arguments of a command.

        Moves the clock first, so that no call is too young.
        """
        self.clock.shift(700)
        return seen(write_records(self.file.with_name("held.csv"), self.sandbox.partners.store.records()))

    def look(self, number: str):
        """Plays a person who looks at the big-data side as long as an open incident demands that."""
        for _ in range(4):
            if "look_up" not in self.troubles(number):
                return
            self.command("take", number, *self.seen_there(), reason="已在大数据侧查看", by="test")
            self.wait_out()
        raise AssertionError("there is always one more to look at")

    def line_of(self, number: str) -> str:
        """Returns the line of the order's incident that reads the answer as a success, if the partner did act.

        Otherwise returns "".
        """
        acted = {row["jobId"] for row in self.sandbox.state()["records"]}
        if self.order(number).kind == "activation" and self.step(number, "create_billing").state == "done":
            acted = {row["code"] for row in self.sandbox.state()["processes"]}
        told = AffectedOrder.objects.unresolved().filter(order__number=number).first()
        return told.detail_params.get("success", "") if told and number in acted else ""

    def is_stopped(self, number: str) -> bool:
        steps = Dispatch.objects.filter(order__number=number, state__in=["retrying", "failed"])
        return steps.exclude(step=USAGE, state="retrying").exists()


def whole_text(store) -> list[str]:
    """Returns each call that the partners received, oldest first: the address and the body as it arrived."""
    return [f"{row['path']} {row['body']}" for row in store._all("SELECT path, body FROM calls ORDER BY id")]


def without(members: dict, *names: str) -> dict:
    return {name: value for name, value in members.items() if name not in names}


def _name(row: dict) -> tuple[str, str]:
    return row["jobId"], row["domain"]


def _cancelled(cases: list[dict]) -> set[tuple[str, str]]:
    rows = [row for case in cases for batches in case["expect"].values() if _is_billing(batches) for row in batches]
    return {_name(row) for batch in rows for row in batch if row["cancelStatus"] == "2"}


def _is_billing(batches) -> bool:
    return isinstance(batches, list) and all(isinstance(batch, list) for batch in batches)


@pytest.fixture
def desk_of(client, clock, db, settings, tmp_path, case):
    """Returns `desk_of(theirs, ours="")`, a function that makes a desk.

    The partners use the profile lines `theirs`. The desk's profile file has the lines `ours`.
    """
    settings.ATTACHMENT_DIR, settings.PARTNER_ANSWERS = tmp_path / "files", "prove"
    settings.ATTACHMENT_DIR.mkdir()
    proven_calls.known.clear()
    proven_calls.free.clear()
    with contextlib.ExitStack() as stack:

        def begin(theirs: str, ours: str = "") -> DialectDesk:
            profile = read_profile(theirs)
            sandbox = stack.enter_context(RunningSandbox(profile=profile))
            point_at(settings, sandbox)
            file = tmp_path / "partners.toml"
            desk = DialectDesk(client, clock, sandbox, settings, file, [case(1), case(2), case(3)])
            desk.theirs, desk.their_lines = profile, theirs
            desk.know(ours)
            return desk

        yield begin
    check_history()
    proven_calls.known.clear()
    proven_calls.free.clear()
