"""Big data and BPM use a dialect, an interface that differs from the default (contract 7.1, 7.2).

Differences are in addresses, headers, answers and names.
"""

import pytest

from tests.flows.conftest import BILLING, BPM, DELETE, QUERY
from tests.flows.contents import withdrawal

ALL_THREE = "no delete, look-up or traffic"
BOTH = "[bigdata.answer]\n{0}\n[bpm.answer]\n{0}"
DIALECTS = {
    "success is 0": BOTH.format("success = [{ code = [0] }]"),
    'success is "0000"': BOTH.format('success = [{ retCode = ["0000"] }]\nrefused = [{ retCode = ["*"] }]'),
    "success: true": BOTH.format("success = [{ success = [true] }]\nrefused = [{ success = [false] }]"),
    "nested text": BOTH.format('unwrap = ["result"]'),
    "nested text within an object": BOTH.format(
        'unwrap = ["data"]\nsuccess = [{ "head.code" = ["ok"] }]\nmessage = ["head.text"]'
    ),
    "empty 204": """
        [bigdata]
        post.answer.success = [{ status = [204], empty = [true] }]
        delete.answer.success = [{ status = [204], empty = [true] }]
        [bpm.answer]
        success = [{ status = [204], empty = [true] }]
        """,
    "GBK": '[bigdata]\ncharset = "gbk"\n[bpm]\ncharset = "gb18030"',
    "other addresses": """
        [bigdata]
        post.path = "/v2/records?from=ibs"
        query.path = "/v2/records/find"
        delete.path = "/v2/records/remove"
        traffic.path = "/v2/flow"
        [bpm]
        start.path = "/engine/start"
        """,
    "a token header": """
        [bigdata]
        headers = { Authorization = "Bearer ${BIGDATA_TOKEN}", X-System = "IBS" }
        [bpm]
        headers = { X-Token = "${BPM_TOKEN}" }
        """,
    "other names": """
        [bigdata]
        rename = { enterpriseId = "custId", jobId = "orderNo", dataflow = "flow" }
        [bpm]
        rename = { "data.cpId" = "data.cpid", "code" = "biz.key" }
        """,
    "other values": """
        [bpm]
        process_type = "7"
        constants = { account = "CDN", sourceOfDemand = "IBS" }
        time_format = "%Y/%m/%d %H:%M:%S"
        """,
    "a flow of the province": '[bpm]\nflow_by_attribution = { BJ = "bjywlc" }',
    "another header for the key": '[bigdata]\nkey_header = "X-Request-No"\n[bpm]\nkey_header = "X-Biz-No"',
    "a word for repeats": BOTH.format('repeated = [{ code = ["R01"] }]'),
    "nothing there has a code": "[bigdata]\nquery.none = [{ code = [204] }]",
    "no delete": '[bigdata]\ndelete.path = ""',
    "no look-up": '[bigdata]\nquery.path = ""',
    "no traffic": '[bigdata]\ntraffic.path = ""',
    ALL_THREE: '[bigdata]\ndelete.path = ""\nquery.path = ""\ntraffic.path = ""',
}
TOLD = [name for name in DIALECTS if name.startswith(("success", "nested"))]  # the incidents suggest the lines
# The cases do not use what these dialects change.
NO_HARM_ALONE = {"a word for repeats", "nothing there has a code", "no delete", "no look-up"}


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setenv("BIGDATA_TOKEN", "bigdata-s3cret")
    monkeypatch.setenv("BPM_TOKEN", "bpm-s3cret")


@pytest.mark.parametrize("name", DIALECTS)
def test_the_cases_go_through_with_the_profile(desk_of, name):
    desk = desk_of(DIALECTS[name], DIALECTS[name])
    desk.play_cases()
    desk.check_books()


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in NO_HARM_ALONE])
def test_without_it_nothing_is_harmed_and_the_lines_of_the_incident_make_it_go_on(desk_of, name):
    desk = desk_of(DIALECTS[name])
    desk.play_cases(heed=desk.heed_incidents)
    desk.check_books()
    assert {*desk.heeded} == {"suggested" if name in TOLD else "asked"}


@pytest.mark.parametrize("partner", ["bigdata", "bpm"])
def test_a_header_that_nobody_told_of_is_waited_for(desk_of, partner):
    """A partner requires a header, and its calls wait until somebody adds the header to the desk's profile.

    This may take any time.
    """
    lines = f'[{partner}]\nheaders = {{ X-Token = "${{BPM_TOKEN}}" }}'
    desk = desk_of(lines)
    one = desk.cases[0]
    desk.at(one["clock_setup"])
    desk.post(one["setup"][0])
    desk.post(one["content"])
    for _ in range(12):
        desk.wait()
    desk.check_no_harm()
    desk.know(lines)
    desk.wait()
    desk.heed_incidents()
    desk.wait_out()
    number = one["content"]["OrderNum"]
    assert (desk.state(number), desk.alive_there(number)) == ("active", ["pull.api-eas-3.li.com"])
    desk.check_no_harm()


# --- calls that a partner lacks, while an order is undone

WITHDRAWN, REFUSED, SILENT = "withdrawn", "a refused start", "a create without an answer"


def undo(desk, how, settings) -> str:
    """Undoes case 1 as far as the desk can do this without people. Returns the number of the order."""
    one, settings.DISPATCH_RETRY_SECONDS = desk.cases[0], [30]
    number = one["content"]["OrderNum"]
    desk.at(one["clock_setup"])
    desk.go_on(one["setup"][0])
    desk.at(one["clock"])
    if how == REFUSED:
        desk.sandbox.fault(BPM, "refusal")
    if how == SILENT:
        desk.sandbox.fault(BILLING, "slow", seconds=0)  # no fault for the cancel of its trial
        desk.sandbox.fault(BILLING, "reset_after", count=2)
    desk.go_on(one["content"])
    if how == WITHDRAWN:
        desk.go_on(withdrawal(number))
    if how == REFUSED:  # the call is not proven, so a person confirms the refusal
        assert (desk.troubles(number)[-1], desk.events(number, "undo_mark")) == ("unproven", [])
        desk.command("compensate", number, reason="BPM 确实拒绝了")
    desk.wait_out()
    return number


def check_undone(desk, number, how):
    trial, [domain] = desk.order(number).trial.number, desk.records(number)
    assert (desk.alive_there(number), desk.records(number)) == ([], {domain: "deleted"})
    assert (desk.alive_there(trial), desk.state(trial)) == ([domain], "trialing")
    assert desk.state(number) == ("withdrawn" if how == WITHDRAWN else "failed")
    assert bool(desk.sent(DELETE)) == bool(desk.theirs.bigdata.delete.path)
    assert len(desk.sandbox.state()["processes"]) == (how == WITHDRAWN)
    assert "look_up" not in desk.troubles(number)
    assert desk.compare() == 0


@pytest.mark.parametrize("how", [WITHDRAWN, REFUSED, SILENT])
@pytest.mark.parametrize("name", ["no delete", "no look-up", ALL_THREE])
def test_what_is_taken_back_leaves_the_books_right(desk_of, settings, name, how):
    desk = desk_of(DIALECTS[name], DIALECTS[name])
    number = undo(desk, how, settings)
    asked = how == SILENT and not desk.theirs.bigdata.query.path
    assert ("look_up" in desk.troubles(number)) == asked
    desk.look(number)
    check_undone(desk, number, how)


@pytest.mark.parametrize(
    "name, how",
    [
        ("no delete", WITHDRAWN),
        ("no look-up", SILENT),
        (ALL_THREE, WITHDRAWN),
        (ALL_THREE, REFUSED),
        (ALL_THREE, SILENT),
    ],
)
def test_without_the_profile_it_waits_until_somebody_tells(desk_of, settings, name, how):
    """Without the profile, an undoing waits until somebody adds the lines. Then it ends as with the profile.

    Until then, no record that is at the partner counts as deleted. No process is started twice.
    """
    desk = desk_of(DIALECTS[name])
    number = undo(desk, how, settings)
    assert desk.state(number) == "compensating"
    assert {*desk.records(number).values()} <= {"live", "unknown"}
    desk.know(desk.their_lines)
    desk.command("resend", number)
    desk.wait_out()
    desk.look(number)
    check_undone(desk, number, how)


# --- slow, and no keys

SLOW = '[bpm]\nkey_header = ""\nrepeats = "ask"\nanswer.repeated = [{ code = ["R01"] }]'
REPEATED = '[bigdata]\nkey_header = ""\nanswer.repeated = [{ code = ["R01"] }]'


def slow(desk, path, settings):
    """Plays case 1. The partner acts on the call at `path`, but answers too late. Returns the number of the order."""
    one, settings.PARTNER_TIMEOUT_SECONDS = desk.cases[0], 0.15
    desk.at(one["clock_setup"])
    if path == BILLING:
        desk.sandbox.fault(path, "slow_drip", seconds=0.6)
    desk.go_on(one["setup"][0])
    desk.wait_out()
    desk.at(one["clock"])
    if path == BPM:
        desk.sandbox.fault(path, "slow_drip", seconds=0.6)
    desk.go_on(one["content"])
    desk.wait_out()
    desk.check_no_harm()
    return one["content"]["OrderNum"]


def test_a_slow_bpm_that_knows_no_keys_is_asked_about_and_not_asked_twice(desk_of, settings):
    desk = desk_of(SLOW, SLOW)
    number = slow(desk, BPM, settings)
    assert (desk.troubles(number), len(desk.sent(BPM))) == (["unanswered"], 1)
    [process] = desk.sandbox.state()["processes"]
    desk.command("take", number, "--step", "start_bpm", "--process", process["processId"], reason="BPM 说有")
    assert (desk.state(number), desk.order(number).bpm_process) == ("active", process["processId"])
    assert len(desk.sent(BPM)) == 1


def test_a_word_for_repeats_that_the_desk_does_not_know_undoes_nothing(desk_of, settings):
    desk = desk_of(SLOW)
    number = slow(desk, BPM, settings)
    assert (desk.troubles(number), len(desk.sent(BPM))) == (["unanswered"], 2)
    desk.heed_incidents()
    assert (desk.state(number), desk.heeded, len(desk.sent(BPM))) == ("active", ["suggested"], 2)


@pytest.mark.parametrize("ours", ["", REPEATED])
def test_big_data_that_says_repeated_is_asked_what_it_holds(desk_of, settings, ours):
    desk = desk_of(REPEATED, ours)
    number = slow(desk, BILLING, settings)
    trial = desk.cases[0]["setup"][0]["OrderNum"]
    assert len(desk.sent(QUERY)) >= 1
    for one in (trial, number):
        if desk.troubles(one):
            desk.command("take", one, reason="大数据侧有")
    assert (desk.state(trial), desk.state(number)) == ("converted", "active")
    assert len(desk.sandbox.state()["records"]) == 2
