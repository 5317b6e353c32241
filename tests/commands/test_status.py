"""`status` says in its first line whether all is well, and lists what is not (contract section 5)."""

import datetime
import json
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from orders.models import Order
from orders.outbox.enqueue import SETTLE_KEY, WAKE_KEY
from project.trail.settings_trail import note_settings
from tests import factories
from tests.flows.conftest import code_of
from tests.harness.ports import free_port
from tests.partners.certificates import Authority
from tests.test_deployment import token

KEYS = [
    "reasons", "database", "queue", "worker", "breakers", "pauses", "planned", "oldest_due", "incidents", "differences",
    "stuck", "notices", "last_backup", "restored", "state_dir", "refused_calls", "oldest_retrying",
    "expiring", "unwritable", "failed_tasks", "clocks_ahead", "old_secrets", "stuck_trail", "robots",
    "schedules", "other_desks",
    "not_stored", "stops", "alarms",
    "holds", "comparison", "read_otherwise", "way_back",
]  # fmt: skip
AT = "2023-09-20T18:54:36+08:00"


def ago(seconds: float) -> datetime.datetime:
    return timezone.now() - datetime.timedelta(seconds=seconds)


@pytest.fixture
def healthy(db, clock):
    """A desk with a live worker and nothing to do."""
    factories.HeartbeatFactory(seen_at=ago(5))


def look(capsys) -> dict:
    """Returns what `status --json` prints, and asserts that its exit code agrees."""
    try:
        call_command("status", "--json")
    except CommandError:
        found = json.loads(capsys.readouterr().out)
        assert found["reasons"]
        return found
    found = json.loads(capsys.readouterr().out)
    assert found["reasons"] == []
    return found


def test_all_is_well(healthy, capsys):
    found = look(capsys)
    assert list(found) == KEYS
    assert found["database"] == {"vendor": connection.vendor, "reachable": True, "missing_migrations": []}
    assert found["queue"] == {"length": 0, "oldest_seconds": 0.0}
    assert found["worker"] == {"heartbeat_age_seconds": 5.0}
    assert (found["breakers"], found["pauses"], found["last_backup"]) == ([], [], None)
    assert found["oldest_due"] == {"bigdata": 0.0, "bpm": 0.0, "mail": 0.0, "files": 0.0}
    assert found["incidents"] == {"open": 0, "by_code": {}}
    assert (found["differences"], found["stuck"]) == ({"open": 0, "oldest_seconds": 0.0, "unbilled": 0}, 0)
    call_command("status")
    assert "wrong" not in capsys.readouterr().out


def worker_silent():
    factories.HeartbeatFactory._meta.model.objects.update(seen_at=ago(121))


def queue_stands():
    for seconds in (300, -60):
        OrmQ.objects.create(key=settings.Q_CLUSTER["name"], payload="x", lock=ago(seconds))


def breaker_open():
    factories.BreakerFactory(partner="bpm", opened_at=timezone.now(), last_error="refused")
    factories.BpmDispatchFactory(next_try_at=ago(900))


def step_late():
    factories.DispatchFactory(next_try_at=ago(121))
    factories.BpmDispatchFactory(next_try_at=ago(119))
    factories.DispatchFactory(next_try_at=ago(-500), state="retrying")


def step_retried():
    """Steps and mails that have been retried for about half an hour, as if BPM answered 503 and the mail server
    accepted no mail.
    """
    tried = {"state": "retrying", "attempts": 4, "tries_left": 2, "next_try_at": ago(-1200)}
    factories.BpmDispatchFactory(frozen_at=ago(1801), **tried)
    factories.BpmDispatchFactory(frozen_at=ago(1900), **tried | {"state": "sending", "next_try_at": ago(-30)})
    factories.MailFactory(frozen_at=ago(1900), **tried)
    notice = {"order": None, "kind": "notice_alarm", "next_try_at": ago(-1200)}
    factories.MailFactory(state="retrying", attempts=4, tries_left=2, frozen_at=ago(2000), **notice)
    factories.MailFactory(state="due", written_at=ago(9000), **notice)
    factories.DispatchFactory(frozen_at=ago(1799), **tried)
    by_staff = tried | {"state": "due", "tries_left": None}  # sent again by staff, so its first attempt is long ago
    factories.DispatchFactory(frozen_at=ago(9000), **by_staff)
    factories.DispatchFactory(frozen_at=ago(9000), **tried | {"channel": "files", "step": "check_files"})


def incident_open():
    for state in ("open", "acknowledged"):
        factories.AffectedOrderFactory(
            order__state="active", incident__code=f"code_{state}", incident__state=state, closed_at=timezone.now()
        )


WRONG = {
    "the worker is silent": (worker_silent, ["no worker gave a sign of life within 2 minutes"]),
    "the queue stands": (queue_stands, ["a task has been waiting in the queue for 300 s"]),
    "a breaker is open": (breaker_open, ["the breaker of bpm is open: its calls wait (last error: refused)"]),
    "a step is late": (step_late, ["the oldest dispatch to bigdata has been due for 121 s"]),
    "a step is retried for long": (
        step_retried,
        [
            f"a step to {name} has been tried for {age} s without success: look why, before its tries are used up"
            for name, age in (("bpm", 1900), ("mail", 2000))
        ],
    ),
    "incidents are open": (incident_open, ["2 incidents are open"]),
    "a difference is open": (
        lambda: factories.DifferenceFactory(order=None, job_id="X"),
        ["1 difference is open", "1 order needs somebody (stuck)"],
    ),
    "a notice was given up": (
        lambda: [factories.MailFactory(order=None, state="failed", written_at=ago(days * 86400)) for days in (1, 8)],
        ["1 notice to staff was given up"],
    ),
    "an order is held": (
        lambda: factories.OrderFactory(state="held", held_because="files"),
        ["1 order needs somebody (stuck)"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_comes_first(healthy, capsys, case):
    arrange, told = WRONG[case]
    arrange()
    assert look(capsys)["reasons"] == told
    assert code_of("status") == 1
    assert capsys.readouterr().out.splitlines()[: len(told)] == [f"wrong: {reason}" for reason in told]


def test_the_facts(healthy, capsys):
    for case in ("the queue stands", "a breaker is open", "a step is late"):
        WRONG[case][0]()
    incident = factories.IncidentFactory(code="timeout")
    factories.AffectedOrderFactory(incident=incident)
    factories.AffectedOrderFactory(incident=incident)
    factories.AffectedOrderFactory(incident=incident, closed_at=timezone.now())
    found = look(capsys)
    assert found["queue"] == {"length": 2, "oldest_seconds": 300.0}
    work_off = {"waiting": 2, "calls_a_minute": None, "minutes_to_work_off": None}
    assert found["breakers"] == [{"partner": "bpm", "since": AT, "error": "refused", **work_off}]
    assert found["oldest_due"] == {"bigdata": 121.0, "bpm": 900.0, "mail": 0.0, "files": 0.0}
    assert found["incidents"] == {"open": 1, "by_code": {"timeout": 2}}
    assert code_of("status") == 1
    assert "incidents    1 open: timeout (2)" in capsys.readouterr().out.splitlines()


def test_what_nobody_waits_for_is_not_late(healthy, capsys):
    """The queue contains a test message of a cluster that was killed, and tasks for steps of which nothing is due.
    Nobody waits for these, so they are not late.
    """
    OrmQ.objects.create(key="a-host-0123abcd", payload="x", lock=ago(1978))
    for key in (WAKE_KEY, SETTLE_KEY):
        OrmQ.objects.create(key=key, payload="x", lock=ago(142))
    assert look(capsys)["queue"] == {"length": 2, "oldest_seconds": 0.0}


def test_a_desk_without_a_worker(db, capsys):
    assert look(capsys)["reasons"] == ["no worker gave a sign of life within 2 minutes"]


def test_missing_migrations_are_named(healthy, capsys):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'project'")
    found = look(capsys)
    assert found["reasons"] == ["migrations are not applied"]
    assert found["database"]["missing_migrations"][0] == "project.0001_squashed_0025_digest"
    assert found["queue"] is None
    assert code_of("status") == 1
    assert "lacks project.0001_squashed_0025_digest" in capsys.readouterr().out


def test_whatever_the_database_says_there_is_an_answer(healthy, monkeypatch, capsys):
    """Django may lose the connection at places where its own code does not expect it. `status` must print an answer
    and no traceback even then.
    """
    found = "project.observability.status_report.missing_migrations", "project.management.commands.status.lines"
    for place in found:
        with monkeypatch.context() as broken:
            broken.setattr(place, lambda *args: None.cursor())
            assert code_of("status") == 1
        assert capsys.readouterr().out.splitlines()[0] == "wrong: the desk can't tell how it is; the log says why"


def test_a_database_that_is_away_is_said_in_words(db, monkeypatch, capsys):
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", Mock(side_effect=OperationalError("connection refused")))
        found = look(capsys)
        assert code_of("status") == 1
    assert found["reasons"] == ["the database does not answer"]
    assert found["database"]["reachable"] is False
    assert "does not answer" in capsys.readouterr().out


def test_what_ends_within_14_days_is_named_with_what_to_do(healthy, settings, tmp_path, capsys, client, admin_user):
    """A token that has ended is not named as long as another one is valid for longer."""
    soon, lasting, ended = token(13), token(15), token(-1)
    settings.BBOSS_ACCESS_TOKENS = [ended, lasting]
    for days in (-15, 15):
        factories.ApiTokenFactory(valid_until=timezone.localdate() + datetime.timedelta(days=days))
    assert look(capsys)["expiring"] == []
    settings.BBOSS_ACCESS_TOKENS = [ended, soon]
    ends = timezone.now() + datetime.timedelta(days=12)
    settings.PARTNER_CLIENT_CERT = (Authority(tmp_path).issue("ibs.example.com", until=ends),) * 2
    factories.ApiTokenFactory(system="报表", valid_until=timezone.localdate() + datetime.timedelta(days=14))
    factories.ApiTokenFactory(revoked_at=timezone.now(), valid_until=timezone.localdate())
    found = look(capsys)
    assert [(row["what"], row["name"]) for row in found["expiring"]] == [
        ("client_certificate", "PARTNER_CLIENT_CERT"),
        ("bboss_token", "2"),
        ("api_token", "报表"),
    ]
    assert found["reasons"] == [row["words"].rstrip(".") for row in found["expiring"]]
    assert found["reasons"][1].startswith("BBOSS's token 2 is valid until 2023-10-03. Have a new one entered")
    client.force_login(admin_user)
    page = client.get(reverse("admin:index")).content.decode()
    assert "BBOSS 的第 2 个令牌有效期至 2023-10-03" in page
    assert "证书有效期至 2023-10-02" in page
    settings.BBOSS_ACCESS_TOKENS = [ended]
    assert ("bboss_token", "1") in [(row["what"], row["name"]) for row in look(capsys)["expiring"]]


def test_a_shell_with_other_settings_than_the_last_start_is_told(healthy, settings, monkeypatch, capsys):
    """`status` compares the settings with those of the last start. Before any start there is nothing to compare. A
    secret is named, and its value is never shown.
    """

    def told() -> list[str]:
        call_command("status")
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("settings ")]

    assert told() == []
    note_settings()
    assert told() == []
    before = settings.ENVIRONMENT.given
    other = {"BBOSS_RATE": "7/min", "BPM_CALLBACK_SECRET": "" if before("BPM_CALLBACK_SECRET") else "hush"}
    monkeypatch.setattr(settings.ENVIRONMENT, "given", lambda name: other.get(name, before(name)))
    assert told() == ["settings     here BBOSS_RATE, BPM_CALLBACK_SECRET are not as at this machine's last start"]


@pytest.mark.parametrize(
    "file, said", [("", "can be gone"), ("p.toml", "take PARTNERS_FILE out of the settings first")]
)
def test_it_says_whether_the_way_back_can_be_gone(healthy, settings, capsys, file, said):
    settings.PARTNERS_FILE = file
    call_command("status")
    assert f"way back     {said}" in capsys.readouterr().out.splitlines()


def test_probes_ask_everything_and_store_nothing(healthy, sandbox_over_http, capsys):
    call_command("status", "--probe", "--json")
    probes = json.loads(capsys.readouterr().out)["probes"]
    assert [probe["what"] for probe in probes] == ["database", "bigdata", "bpm", "mail", "disk", "clock"]
    assert {probe["trouble"] for probe in probes} == {""}
    assert all(probe["seconds"] >= 0 for probe in probes)
    assert [call["body"] for call in sandbox_over_http.calls("/bigdata/productInfos/query")] == [
        {"jobId": "DESK-PROBE"}
    ]
    assert not Order.objects.exists()


def test_a_probe_names_what_does_not_answer(healthy, sandbox_over_http, settings, tmp_path, capsys):
    sandbox_over_http.fault(path="/bigdata/productInfos/query", kind="503")
    closed = free_port()
    settings.BPM_BASE_URL = f"http://127.0.0.1:{closed}/bpm"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed
    (tmp_path / "full").touch()
    settings.EXPORT_DIR = tmp_path / "full"
    with pytest.raises(CommandError, match="4 wrong"):
        call_command("status", "--probe")
    lines = capsys.readouterr().out.splitlines()
    wrong = {line.split(": ")[1] for line in lines if line.startswith("wrong: probe")}
    assert wrong == {"probe of bigdata", "probe of bpm", "probe of mail", "probe of disk"}
