"""The alarms of deploy/: they use the contract's metrics, agree with the contract's table and the operations page, and
are run by Debian's promtool.
"""

import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from django.utils.translation import override

from orders.texts.error_messages import MESSAGES
from orders.texts.incident_texts import CAUSES
from project.observability.alarm_mails import EACH_MINUTE
from project.observability.alarm_texts import ALARMS, BY_INCIDENT
from project.observability.silent_failures import SILENT_FAILURES
from tests.deploy.prometheus import PANELS, RULES_FILE, SELECTOR
from tests.deploy.quiet_week import quiet_week
from tests.deploy.record import RECORDED, STEP
from tests.first_start.lines import ROOT
from tests.test_contract import PAGES_SECTION, SECTIONS
from tests.test_documents import OPERATIONS

PROMTOOL = "/usr/bin/promtool"
needs_promtool = pytest.mark.skipif(not os.path.exists(PROMTOOL), reason="Debian's prometheus is not installed")
RULES = {rule["alert"]: rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]}
# series of Prometheus itself; those that begin with node_ come from node_exporter
OTHERS = {"up": {"job", "instance"}, "ALERTS": {"alertstate"}}
LIST = re.compile(r"\w+(, \w+)+")
ROW = re.compile(r"^\| (`desk_.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def metrics() -> dict[str, dict[str, set[str]]]:
    """Returns the contract's series with their labels. A label has its values if the contract lists them."""
    found: dict[str, dict[str, set[str]]] = {}
    for first, second, cell in ROW.findall(SECTIONS[PAGES_SECTION]):
        said = dict(re.findall(r"`(\w+)` \(([^)]*)\)", cell))
        names, kinds = re.findall(r"`(\w+)`", first), second.split(", ")
        cells = re.sub(r"\([^)]*\)", "", cell).split(";")
        for place, name in enumerate(names):
            labels = re.findall(r"[a-z]+", cells[place % len(cells)])
            if kinds[place % len(kinds)] == "histogram":
                labels = ["le", *(label for label in labels if "histogram" not in said.get(label, ""))]
            values = {label: said.get(label, "").partition(";")[0] for label in labels}
            known = {label: set(text.split(", ")) if LIST.fullmatch(text) else set() for label, text in values.items()}
            found |= {f"{name}{end}": known for end in (("_bucket", "_count") if "le" in known else ("",))}
    return found


METRICS = metrics()


def what_is_wrong(expr: str) -> list[str]:
    """Returns the names, labels and values of an expression that the contract does not define."""
    wrong, labels = [], set()
    for name, inside in SELECTOR.findall(expr):
        if name.startswith("node_"):
            labels |= {"mountpoint", "instance"}
            continue
        known = METRICS.get(name, dict.fromkeys(OTHERS.get(name, ()), set()))
        if name not in METRICS and name not in OTHERS:
            wrong.append(name)
        labels |= known.keys()
        for label, compared, value in MATCHER.findall(inside):
            values = set(value.split("|")) if "~" in compared else {value}
            if label not in known:
                wrong.append(f"{name}: {label}")
            elif known[label] and "" not in values:
                wrong += sorted(values - known[label])
    asked = {label.strip() for found in BY.findall(expr) for label in found.split(",") if label.strip()}
    return wrong + sorted(asked - labels)


def test_the_contract_is_read():
    assert METRICS["desk_inbound_total"]["source"] == {"bboss", "bpm", "api"}
    assert METRICS["desk_inbound_seconds_bucket"].keys() == {"source", "le"}
    assert METRICS["desk_dispatches"].keys() == {"channel", "state"}
    assert METRICS["desk_restored"] == {}
    wrong = what_is_wrong('sum by (step) (desk_inbound_total{source="big", colour="red"}) > desk_lost')
    assert wrong == ["big", "desk_inbound_total: colour", "desk_lost", "step"]


@pytest.mark.whole
def test_rules_and_panels_use_what_the_contract_has():
    exprs = [rule["expr"] for rule in RULES.values()]
    exprs += [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert len(exprs) > 40
    assert {expr: wrong for expr in exprs if (wrong := what_is_wrong(expr))} == {}
    assert [series for series in quiet_week() if what_is_wrong(series) and not series.startswith("node_")] == []


def test_rules_table_and_page_say_the_same():
    assert RULES.keys() == ALARMS.keys()
    assert set(BY_INCIDENT.values()) <= ALARMS.keys()
    with override("zh-hans"):
        for name, rule in RULES.items():
            alarm, said = ALARMS[name], rule["annotations"]
            assert (rule["labels"], said["description"]) == ({"severity": alarm.severity}, alarm.next)
            assert said["summary"].partition("（{{")[0] == alarm.summary
            assert said["runbook"] == f"docs/operations.md#alarms, {name}"
    assert [name for name, alarm in ALARMS.items() if f"\n| `{name}` ({alarm.severity}" not in OPERATIONS] == []


def test_what_status_says_has_an_alarm():
    source = (ROOT / "project" / "observability" / "alarm_reasons.py").read_text()
    named = set(re.findall(r'Reason\(\s*"(\w+)"', source))
    assert len(named) > 10
    assert named - ALARMS.keys() == set()


DONE = 'desk_inbound_total{source="bboss",code="00000"}'
QUIET = {
    'up{job="ibs-desk",instance="a"}': "1",
    "desk_database_up": "1",
    "desk_restored": "0",
    "desk_heartbeat_age_seconds": "4",
    "desk_last_backup_age_seconds": "600",
    DONE: "0+6",
}
POSTGRESQL = "/var/lib/postgresql"
INBOUND, CALLS = 'desk_inbound_total{source="%s",code="%s"}', 'desk_calls_total{partner="bpm",outcome="%s"}'
DUE, BPM_WAITS = 'desk_dispatches{channel="bpm",state="due"}', 'desk_oldest_due_seconds{partner="bpm"}'
TOKEN, DISK = 'desk_expires_seconds{what="bboss_token",name="1"}', 'node_filesystem_%s_bytes{mountpoint="%s"}'


def slow(name: str, label: str, *limits: str) -> dict[str, str]:
    """Returns series of 20 calls a minute, of which one takes longer than the first of these limits."""
    buckets = {f'{name}_bucket{{{label},le="{le}"}}': f"0+{19 if le == limits[0] else 20}" for le in limits}
    return buckets | {f"{name}_count{{{label}}}": "0+20"}


DRILLS: dict[str, tuple[int, dict[str, str]]] = {
    # the minute at which the alarm fires, and the series that differ ("0+6": from 0 on, 6 more each minute)
    "DeskDown": (5, {'up{job="ibs-desk",instance="a"}': "0"}),
    "SiteCertificate": (1, {'desk_open_incidents{code="site_certificate"}': "1"}),
    "StateFolderBroken": (1, {'desk_open_incidents{code="state_folder_broken"}': "1"}),
    "IntakeQuiet": (1, {'desk_open_incidents{code="intake_quiet"}': "1"}),
    "StepKillsWorker": (1, {'desk_open_incidents{code="step_kills_worker"}': "1"}),
    "TransactionOld": (1, {'desk_open_incidents{code="transaction_old"}': "1"}),
    "ArchiveFails": (1, {'desk_open_incidents{code="archive_fails"}': "1"}),
    "DatabaseAway": (5, {"desk_database_up": "0"}),
    "DatabaseRestored": (1, {"desk_restored": "1", BPM_WAITS: "0+60"}),
    "OrdersNotStored": (5, {INBOUND % ("bboss", "20000"): "0+30"}),
    "DatabaseErrors": (10, {'desk_database_errors_total{kind="other"}': "0+5"}),
    "DeliveryFails": (1, {'desk_open_incidents{code="delivery_failed"}': "1"}),
    "OtherDesk": (1, {'desk_open_incidents{code="other_desk"}': "1"}),
    "WorkerDead": (5, {"desk_heartbeat_age_seconds": "0+60"}),
    "CallsRefused": (3, {DONE: "7", INBOUND % ("bboss", "20311"): "0+6"}),
    "CallbacksRefused": (10, {INBOUND % ("bpm", "401"): "0+1"}),
    "ClockOff": (10, {'desk_open_incidents{code="database_clock"}': "1"}),
    "SlowIntake": (20, slow("desk_inbound_seconds", 'source="bboss"', "2.5", "5.0", "+Inf")),
    "SlowPartner": (40, slow("desk_call_seconds", 'partner="bpm"', "10.0", "20.0", "+Inf")),
    "PartnerDown": (2, {'desk_breaker_open{partner="bpm"}': "1", BPM_WAITS: "0+60"}),
    "PartnerRefuses": (60, {CALLS % "refused": "0+2", CALLS % "done": "0+1"}),
    "PausedTooLong": (250, {'desk_paused{partner="bpm"}': "1", DUE: "0+9"}),
    "StepsLate": (5, {BPM_WAITS: "0+60"}),
    "StepsRetried": (31, {'desk_dispatches{channel="mail",state="retrying"}': "1"}),
    "QueueGrowing": (60, {DUE: "0+9"}),
    "OrdersStuck": (31, {"desk_stuck_orders": "1"}),
    "UnbilledOrders": (11, {"desk_unbilled_orders": "1"}),
    "BooksDiffer": (11, {'desk_open_differences{kind="missing"}': "1"}),
    "MailGivenUp": (1, {"desk_mails_given_up": "1"}),
    "ExpiresSoon": (1, {TOKEN: "864000"}),
    "Expired": (1, {TOKEN: "-60"}),
    "AuditStuck": (1, {'desk_open_incidents{code="audit_stuck"}': "1"}),
    "BackupOld": (65, {"desk_last_backup_age_seconds": "108060"}),
    "DiskNearlyFull": (6, {DISK % ("avail", "/"): "9", DISK % ("size", "/"): "100"}),
    "DatabaseDiskNearlyFull": (16, {DISK % ("avail", POSTGRESQL): "14", DISK % ("size", POSTGRESQL): "100"}),
}
FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})'


def play(folder: Path, groups: list[dict]) -> subprocess.CompletedProcess:
    """Runs promtool on these groups of series."""
    file = folder / "test.yml"
    content = {"rule_files": [str(RULES_FILE)], "evaluation_interval": "1m", "tests": groups}
    file.write_text(json.dumps(content))  # JSON is YAML
    return subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)


def group(name: str, series: dict[str, str], minute: int, expr: str, firing: set[str], *, every: str = "1m") -> dict:
    samples = [{"labels": f'{{alertname="{one}"}}', "value": 1} for one in sorted(firing)]
    return {
        "name": name,
        "interval": every,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples}],
    }


OTHER_WAYS: dict[str, tuple[dict[str, str], set[str]]] = {
    "BBOSS's clock": ({INBOUND % ("bboss", "20210"): "0+6", DONE: "7"}, {"CallsRefused", "ClockOff"}),
    "a wrong secret for long": ({INBOUND % ("bboss", "20308"): "0+60"}, {"CallsRefused"}),
    "the address does not answer": ({'desk_open_incidents{code="desk_down"}': "1"}, {"DeskDown"}),
    "no worker ever": ({"desk_heartbeat_age_seconds": "_"}, {"WorkerDead"}),
    "no backup ever": ({"desk_last_backup_age_seconds": "_"}, {"BackupOld"}),
    "no disk for exports": ({'desk_open_incidents{code="disk_low"}': "1"}, {"DiskNearlyFull"}),
}


@needs_promtool
@pytest.mark.whole
def test_each_alarm_fires_in_its_drill_and_no_other(tmp_path):
    assert DRILLS.keys() == RULES.keys()
    plays = {name: (differ, {name}, minute) for name, (minute, differ) in DRILLS.items()}
    plays |= {name: (differ, firing, 70) for name, (differ, firing) in OTHER_WAYS.items()} | {"quiet": ({}, set(), 70)}
    groups = []
    for name, (differ, firing, minute) in plays.items():
        series = {one: f"{value}x{minute}" for one, value in (QUIET | differ).items()}
        groups.append(group(name, series, minute, FIRING, firing))
    done = play(tmp_path, groups)
    assert done.returncode == 0, done.stdout + done.stderr


CURED = {  # by the name of an alarm: its series, a label, its limits
    "SlowIntake": ("desk_inbound_seconds", 'source="bboss"', ("2.5", "5.0", "+Inf")),
    "SlowPartner": ("desk_call_seconds", 'partner="bpm"', ("10.0", "20.0", "+Inf")),
}


def group_of_looks(name: str, series: dict[str, str], looks: dict[int, set[str]]) -> dict:
    """Returns a group for promtool that checks at several minutes which alarms fire."""
    groups = [group(name, series, at, FIRING, firing) for at, firing in looks.items()]
    return groups[0] | {"promql_expr_test": [test for one in groups for test in one["promql_expr_test"]]}


def slow_for(minutes: int, name: str, label: str, limits: tuple[str, ...]) -> dict[str, str]:
    """Returns series of 20 calls a minute. During the first `minutes` half of them take longer than the first of these
    limits.
    """
    buckets = {}
    for le in limits:
        few = 10 if le == limits[0] else 20
        buckets[f'{name}_bucket{{{label},le="{le}"}}'] = f"0+{few}x{minutes} {few * minutes + 20}+20x60"
    return buckets | {f"{name}_count{{{label}}}": f"0+20x{minutes} {20 * minutes + 20}+20x60"}


@needs_promtool
@pytest.mark.parametrize("name", CURED)
def test_what_was_slow_and_is_cured_is_no_alarm(tmp_path, name):
    """An alarm fires while calls are slow, and ends within three minutes after that. If calls are slow for a shorter
    time, it never fires.
    """
    groups = []
    for minutes in (1, 2, 30):
        series = {one: f"{value}x90" for one, value in QUIET.items()} | slow_for(minutes, *CURED[name])
        looks = {minutes: {name} if minutes == 30 else set()} | {minutes + after: set() for after in range(4, 30)}
        groups.append(group_of_looks(f"{minutes} min", series, looks))
    done = play(tmp_path, groups)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_calls_that_are_accepted_again_are_no_alarm(tmp_path):
    """For 8 minutes calls are refused, and then calls are accepted. The alarm ends within three minutes, although most
    calls were refused.
    """
    refused = {DONE: "7x8 8+1x60", INBOUND % ("bboss", "20311"): "0+6x8 48x60"}
    series = {one: f"{value}x70" for one, value in QUIET.items() if one != DONE} | refused
    looks = {8: {"CallsRefused"}} | {minute: set() for minute in range(11, 30)}
    done = play(tmp_path, [group_of_looks("refused", series, looks)])
    assert done.returncode == 0, done.stdout + done.stderr


EVER_FIRED = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[8d]))'


@needs_promtool
@pytest.mark.whole
def test_none_fires_over_a_quiet_week(tmp_path):
    done = play(tmp_path, [group("quiet week", quiet_week(), 7 * 1440, EVER_FIRED, set())])
    assert done.returncode == 0, done.stdout + done.stderr


def samples(notation: str) -> list[float | None]:
    """Returns the values of a recorded series, with None for a scrape that found none."""
    found: list[float | None] = []
    for word in notation.split():
        value, _, more = word.partition("x")
        count = int(more or 1) if value == "_" else int(more or 0) + 1
        found += [None if value == "_" else float(value)] * count
    return found


@needs_promtool
def test_none_fires_over_what_was_recorded_of_a_real_desk(tmp_path):
    """The recording has busy and quiet times, a backup, a restart of web and worker, and a pause: see
    tests.deploy.record.
    """
    series = json.loads(RECORDED.read_text())
    minutes = len(samples(series['up{job="ibs-desk"}'])) * STEP // 60
    done = play(tmp_path, [group("recorded", series, minutes, EVER_FIRED, set(), every=f"{STEP}s")])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_recording_holds_what_a_desk_goes_through():
    series = {name: samples(said) for name, said in json.loads(RECORDED.read_text()).items()}
    accepted = series['desk_inbound_total{code="00000",job="ibs-desk",source="bboss"}']
    came = [value for value in accepted if value is not None]
    assert came[-1] - came[0] > 100
    assert any(came[place] == came[place + 12] for place in range(len(came) - 12)), "no quiet stretch of 3 minutes"
    assert 0 in series['up{job="ibs-desk"}'], "no restart"
    assert 1 in series['desk_paused{job="ibs-desk",partner="bpm"}'], "no pause"
    ages = [age for age in series['desk_last_backup_age_seconds{job="ibs-desk"}'] if age is not None]
    assert sum(later < earlier for earlier, later in itertools.pairwise(ages)) >= 2, "no two backups"
    named = {name for rule in RULES.values() for name, _ in SELECTOR.findall(rule["expr"])}
    assert named - {one.partition("{")[0] for one in series} == set()


SAYS = re.compile(r"^\| `(\w+)` \((?:critical|warning)(?:, ([\w ]+))?\) \| .+ \| ([^|]+) \|$", re.MULTILINE)
UNMAILED = {"DatabaseRestored", "WorkerDead"}  # they stop the worker, which sends mails


def test_the_page_says_who_tells_what():
    """Each alarm has a row on the operations page and a rule of Prometheus, and `status` names it. The row says
    whether a mail is sent, and which incident chat robots get.
    """
    rows = {name: said for name, *said in SAYS.findall(OPERATIONS)}
    assert rows.keys() == ALARMS.keys() == RULES.keys()
    source = (ROOT / "project" / "observability" / "alarm_reasons.py").read_text()
    by_status = {
        *re.findall(r'"([A-Z]\w+)"', source),
        *BY_INCIDENT.values(),
        *(stop.alarm for stop in SILENT_FAILURES.values()),
    }
    codes = {stop.alarm: code for code, stop in SILENT_FAILURES.items()} | {
        name: code for code, name in BY_INCIDENT.items()
    }
    assert rows.keys() - by_status == set()
    for name, (mail, robots) in rows.items():
        assert mail == ("no mail" if name in UNMAILED else "" if name in EACH_MINUTE else "after 5 min")
        told = set(re.findall(r"`(\w+)`", robots))
        assert told <= CAUSES.keys()
        assert name not in codes or told == {codes[name]}


def test_each_stop_has_words_an_alarm_and_a_cause():
    for code, stop in SILENT_FAILURES.items():
        assert stop.alarm in ALARMS
        assert code in CAUSES
        assert code in MESSAGES
