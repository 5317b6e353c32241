"""`partners try` makes a call by hand, as a worker makes it (contract 7.3). `partners` prints the state of the
calls."""

import datetime
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.models import Breaker
from integrations.partners.profile import read_profile
from orders.models import Attempt, PartnerHold, TrailEntry
from orders.pauses.pause_and_resume import pause_partner
from project.trail.command_trail import note_command
from tests.flows.conftest import BILLING, BPM, QUERY
from tests.flows.contents import activation, trial
from tests.flows.test_doubts import prove  # noqa: F401  a fixture

A = "a.example.com"
SECRET = "t0ps3cret-of-bpm"


@pytest.fixture
def told(capsys):
    """Returns the command's output, or the reason of its refusal."""

    def told(*words: str) -> str:
        capsys.readouterr()
        try:
            call_command("partners", *words)
        except CommandError as error:
            return f"{capsys.readouterr().out}{error}"
        return capsys.readouterr().out

    return told


@pytest.fixture
def held(desk, prove, monkeypatch):  # noqa: F811
    """BPM refused the first call, so calls to BPM are held and A2's start waits."""
    monkeypatch.setenv("BPM_TOKEN", SECRET)
    prove.PARTNERS = read_profile('[bpm]\nheaders = { Authorization = "Bearer ${BPM_TOKEN}" }')
    desk.play(trial("T1", A))
    desk.sandbox.fault(path=BPM, kind="refusal")
    desk.play(activation("A1"), trial("T2", "b.example.com"), activation("A2", of="T2"))
    return desk


def test_without_send_it_shows_the_request_and_no_secret(held, told):
    said = told("try", "bpm.start", "--order", "A2")
    assert said.startswith('curl -X POST "http://partners.test/bpm/flows/start"')
    assert '-H "Authorization: ***"' in said
    assert f"Idempotency-Key: {held.step('A2', 'start_bpm').key}" in said
    assert '"code":"A2"' in said.replace('": "', '":"')
    assert len(held.sent(BPM)) == 1
    assert held.step("A2", "start_bpm").payload == ""


def test_a_step_that_a_hold_keeps_back_is_sent_once_and_its_answer_counts(held, told, caplog):
    said = told("try", "bpm.start", "--order", "A2", "--send")
    assert "bpm.start answered HTTP 200, utf-8:\n{" in said
    assert "read as: success\nbecause: { code = [200] }  (default)" in said
    assert said.endswith("recorded: start_bpm, attempt 1: ok; the step is done\n")
    assert not PartnerHold.objects.filter(ended_at=None).exists()
    assert held.order("A2").bpm_process
    assert "no step of it waits for bpm.start: start_bpm is done" in told("try", "bpm.start", "--order", "A2", "--send")
    held.deliver()
    assert (held.state("A2"), json.dumps(held.sent(BPM)).count('"A2"')) == ("active", 1)
    assert SECRET not in said + caplog.text


def test_one_that_is_refused_stays_in_doubt(held, told):
    held.sandbox.fault(path=BPM, kind="refusal")
    said = told("try", "bpm.start", "--order", "A2", "--send")
    assert "read as: refused" in said
    assert "the step is failed" in said
    assert (held.troubles("A2"), held.events("A2", "undo_mark")) == (["unproven"], [])


def test_what_has_a_sender_is_not_sent_twice(desk, told, trialing):
    desk.post(trial("T2", "b.example.com"))
    [work] = desk.claim()
    said = told("try", "bigdata.post", "--order", "T2", "--send")
    assert "T2: no step of it waits for bigdata.post: create_trial_billing is sending" in said
    assert len(desk.sent(BILLING)) == 1  # the only call is T1's
    desk.end(work)


def test_of_a_kind_that_is_not_proven_one_is_in_the_air(desk, told, prove):  # noqa: F811
    desk.post(trial("T1", A))
    desk.post(trial("T2", "b.example.com"))
    [work] = desk.claim()
    assert "nothing was sent: a worker has it, one of its kind is in the air" in told(
        *("try", "bigdata.post", "--order", "T2", "--send")
    )
    assert (desk.sent(BILLING), work.order) == ([], "T1")
    assert desk.step("T2", "create_trial_billing").attempts == 0


def test_a_pause_and_an_open_breaker_hold_it_back(desk, told, trialing):
    desk.post(activation("A1"))
    later = timezone.now() + datetime.timedelta(minutes=1)
    down = Breaker.objects.create(partner="bigdata", failures=3, opened_at=timezone.now(), probe_at=later)
    assert "the breaker of bigdata is open" in told("try", "bigdata.post", "--order", "A1", "--send")
    down.delete()
    pause_partner(partner="bigdata", until=None, reason="x", by="command:test", now=timezone.now())
    for words in (["bigdata.post", "--order", "A1"], ["bigdata.query"]):
        assert "nothing was sent: bigdata is paused since" in told("try", *words, "--send")
    assert (len(desk.sent(BILLING)), desk.sent(QUERY)) == (1, [])


def test_look_ups_go_out_at_once(desk, told, trialing):
    said = told("try", "bigdata.query", "--order", "T1", "--send")
    assert "read as: success, 1 rows at result" in said
    assert "read as: success, 0 rows at result" in told("try", "bigdata.query", "--send")
    assert "read as: success" in told("try", "bigdata.traffic", "--order", "T1", "--send")
    assert desk.sent(QUERY) == [{"jobId": "T1"}, {"jobId": "DESK-PROBE"}]
    desk.sandbox.fault(path=QUERY, kind="503")
    assert "read as: HTTP 503, which is judged by itself" in told("try", "bigdata.query", "--send")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["bpm.strat"], "bpm.strat: no such call; bigdata.post"),
        (["bpm.callback"], "bpm.callback: no such call"),
        (["bpm.start", "--order", "A9"], "unknown: A9"),
        (["bpm.start", "--order", "T1"], "T1: no step of it calls bpm.start"),
        (["bigdata.post", "--order", "T1", "--send"], "waits for bigdata.post: create_trial_billing is done"),
        (["bpm.start", "--send"], "name the order whose step waits for it"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(trialing, told, words, why):
    assert why in told("try", *words)
    assert Attempt.objects.count() == 1


def test_a_call_that_the_profile_has_not(desk, told, settings):
    settings.PARTNERS = read_profile('[bigdata]\nquery.path = ""')
    assert "bigdata.query: the profile has no such call" in told("try", "bigdata.query", "--send")


@pytest.mark.parametrize("call", ["bigdata.post", "bigdata.delete", "bigdata.query", "bigdata.traffic", "bpm.start"])
def test_without_an_order_it_shows_an_example(db, told, call):
    said = told("try", call)
    assert said.startswith(
        "curl" if call in {"bigdata.query", "bigdata.traffic"} else "an example, of no order of yours:"
    )
    assert json.loads(said.partition("--data-raw '")[2].rpartition("'")[0])


def test_it_is_in_the_trail(db):
    for words in (["partners"], ["partners", "read", "x"], ["partners", "try", "bpm.start", "--order", "A1", "--send"]):
        note_command(["manage.py", *words], done=False)
    assert [row.data["words"] for row in TrailEntry.objects.all()] == ["partners try bpm.start --order A1 --send"]


def test_the_list_says_how_each_call_stands(held, told):
    said = told()
    start = said[said.index("bpm.start  POST") : said.index("bpm.callback")]
    assert "proven   start: not yet" in start
    assert "last refused  2023-09-20 18:5" in start
    assert "A1 start_bpm, attempt 1 (code_400)" in start
    assert start.count("A1 start_bpm, attempt 1 (code_400)") == 2  # the same attempt is also listed as doubtful
    assert "held     bpm is held since 2023-09-20 18:5" in start
    assert "(bpm.start of A1: unproven); `resume bpm` ends it" in start
    post = said[: said.index("bigdata.delete  ")]
    assert "proven   create: since 2023-09-20 18:5" in post
    assert "by order T1; cancel: since" in post
    assert "last accepted 2023-09-20 18:5" in post
    assert SECRET not in said
