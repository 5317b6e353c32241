"""Failures that make no noise are reported by `status`, by a mail at once, by an incident (which robots report) and by
an alert rule."""

import contextlib
import datetime
import json
import os
import pydoc
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from integrations import tasks
from integrations.base import counters, orders_not_stored
from integrations.models import ToldIncident
from integrations.robots.send_alerts import note_alerts
from integrations.worker.heartbeat import beat
from notifications.models import Mail
from orders.incidents.incident_handling import ignore_incident
from orders.models import Incident, OrderEvent, Timeline
from project.observability import last_hour, silent_failures
from project.observability.alarm_mails import AT_ONCE
from project.observability.looks import look_around
from project.observability.readiness import write_try
from tests import factories
from tests.database.test_unusable import PSQL, constraint, raises, sequence_at_its_end
from tests.partners.certificates import Authority, served_with
from tests.worker.periodic import replace_parts

pytestmark = pytest.mark.django_db(transaction=True)
POSTGRESQL = "postgresql"


@pytest.fixture(autouse=True)
def site(settings, tmp_path):
    settings.DEFAULT_CONTACT_MAIL, settings.SITE_URL = "ops@example.com", ""
    settings.STATE_DIR = tmp_path / "state"
    settings.STATE_DIR.mkdir()


def status() -> dict:
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        out = _Lines()
        with contextlib.suppress(CommandError):
            call_command("status", "--json", stdout=out)
    return json.loads("".join(out.texts))


class _Lines:
    def __init__(self):
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        self.texts.append(text)


class Web:
    """`with Web() as web:` answers each GET at `web.url` with the next of `web.answers`. With a certificate it uses
    TLS."""

    def __init__(self, certificate: str = ""):
        self.certificate, self.answers, self.asked = certificate, [200], []

    def __enter__(self) -> "Web":
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802  the standard library's name
                owner.asked.append(self.path)
                self.send_response(owner.answers[len(owner.asked) % len(owner.answers)])
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.certificate:
            self.server.socket = served_with(self.certificate).wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if self.certificate else "http"
        self.url = f"{scheme}://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *exc) -> None:
        self.server.shutdown()
        self.server.server_close()


# --- the failures, as contexts that return the words that `status` prints


@contextlib.contextmanager
def nobody_at_the_address(settings, folder) -> Iterator[str]:
    with Web() as web:
        settings.SITE_URL = web.url
    yield "4 of 4 asks at http://localhost:"
    settings.SITE_URL = ""


@contextlib.contextmanager
def one_of_two_is_dead(settings, folder) -> Iterator[str]:
    with Web() as web:
        settings.SITE_URL, web.answers = web.url, [200, 200, 200, 502]
        yield "1 of 4 asks at"
    settings.SITE_URL = ""


def certificate(days: int):
    @contextlib.contextmanager
    def play(settings, folder) -> Iterator[str]:
        ends = timezone.now() + datetime.timedelta(days=days)
        with Web(Authority(folder).issue("localhost", until=ends)) as web:
            settings.SITE_URL = web.url
            yield f"the certificate of localhost ends at {timezone.localtime(ends):%Y-%m-%d %H:%M}"
        settings.SITE_URL = ""

    return play


@contextlib.contextmanager
def quiet(settings, folder) -> Iterator[str]:
    settings.INTAKE_QUIET_MINUTES = 720
    factories.InboundMessageFactory(received_at=timezone.now() - datetime.timedelta(minutes=721))
    yield "no call of BBOSS has come for 721 minutes, the last one at "
    factories.InboundMessageFactory(received_at=timezone.now())


@contextlib.contextmanager
def no_backup(settings, folder) -> Iterator[str]:
    made = timezone.now() - datetime.timedelta(hours=31)
    data = {"made_at": made.isoformat(), "machine": "a", "newest_event": 1, "folder": "/b", "bytes": 1}
    OrderEvent.objects.create(kind="backed_up", actor="x", at=made, data=data)
    yield "no backup was made for 31 hours"
    OrderEvent.objects.create(kind="backed_up", actor="x", at=timezone.now(), data=data | {"made_at": now_text()})


@contextlib.contextmanager
def never_a_backup(settings, folder) -> Iterator[str]:
    Timeline.objects.update(begun_at=timezone.now() - datetime.timedelta(hours=40))
    yield "no backup was made for 40 hours"
    Timeline.objects.update(begun_at=timezone.now())


def ahead() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(minutes=1)


def now_text() -> str:
    return timezone.now().isoformat()


@contextlib.contextmanager
def no_inode(settings, folder) -> Iterator[str]:
    """The access rights are correct, but no file can be created."""

    def refuse(*args, **how):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("project.observability.silent_failures.tempfile.NamedTemporaryFile", refuse)
        yield "No space left on device: a restore would go unnoticed"


@contextlib.contextmanager
def poisoned(settings, folder) -> Iterator[str]:
    row = factories.DispatchFactory(state="sending", lost=2, next_try_at=ahead(), order__number="A7", step="start_bpm")
    yield "1 steps or mails ended the process that sent them, twice or more; the first is A7 start_bpm"
    type(row).objects.update(lost=0)


@contextlib.contextmanager
def idle_transaction(settings, folder) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, psycopg.connect(**connection.get_connection_params() | PSQL) as other:
        patch.setattr(silent_failures, "IDLE_FOR", "0 seconds")
        other.execute("SELECT 1")
        yield "(user root, psql) has had a transaction open since "


@contextlib.contextmanager
def archive(settings, folder) -> Iterator[str]:
    """Inserts PostgreSQL's report of a failing command, because a real report needs a server of its own."""
    with pytest.MonkeyPatch.context() as patch:
        row = "SELECT '0000000100000000000000AB', now() - interval '1 minute', now() - interval '1 hour'"
        patch.setattr(silent_failures, "FAILING_ARCHIVER", row)
        yield "archive_command could not take 0000000100000000000000AB at "


@contextlib.contextmanager
def full_database_disk(settings, folder) -> Iterator[str]:
    settings.EXPORT_MIN_FREE_MB = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silent_failures, "FREE_SHARE", 1.0)
        patch.setattr(silent_failures, "MOST_FREE", 2**60)
        patch.setattr(silent_failures, "POSTGRESQL", folder)
        yield "% of the disk of "
    settings.EXPORT_MIN_FREE_MB = 0


def unstorable(way):
    @contextlib.contextmanager
    def play(settings, folder) -> Iterator[str]:
        with way():
            yield "no order can be stored: "
        write_try.tried_at = float("-inf")

    return play


@contextlib.contextmanager
def lock(table: str) -> Iterator[None]:
    with psycopg.connect(**connection.get_connection_params() | PSQL) as other:
        other.execute(f"LOCK TABLE {table}")
        yield
        # A check that gave up left a statement in the server. It is ended, so that it can't disturb the database flush
        # after the test.
        waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        other.execute(f"{waiting} AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'")


@contextlib.contextmanager
def refused_for_now(settings, folder) -> Iterator[str]:
    for _ in range(7):
        orders_not_stored.count_order_not_stored()
    yield "7 calls of BBOSS got 20000 within 10 minutes, the last one "
    for file in orders_not_stored.FOLDER.iterdir():
        file.unlink()


def figures(**rises: int):
    """Returns a context that notes the figures of two minutes, between which these counters rose."""

    @contextlib.contextmanager
    def play(settings, folder) -> Iterator[str]:
        before = timezone.now() - datetime.timedelta(minutes=1)
        with pytest.MonkeyPatch.context() as patch:
            replace_parts(patch, note_figures=lambda *, now: None)
            patch.setattr(last_hour, "_figures", lambda now: dict.fromkeys(rises, 0))
            last_hour.note_figures(now=before - datetime.timedelta(minutes=14))
            last_hour.note_figures(now=before)
            patch.setattr(last_hour, "_figures", lambda now: rises)
            last_hour.note_figures(now=timezone.now())
            yield ""
            (settings.STATE_DIR / "figures.json").unlink()

    return play


@contextlib.contextmanager
def growing(settings, folder) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        replace_parts(patch, note_figures=lambda *, now: None)
        for minutes, due in ((15, 300), (0, 400)):
            patch.setattr(last_hour, "_figures", lambda now, due=due: {"due bpm": due})
            last_hour.note_figures(now=timezone.now() - datetime.timedelta(minutes=minutes))
        yield "400 steps to bpm are due, 100 more than 15 minutes ago"
        (settings.STATE_DIR / "figures.json").unlink()


PLAYS = {
    "nginx stopped": ("DeskDown", nobody_at_the_address),
    "one machine dead": ("DeskDown", one_of_two_is_dead),
    "certificate near its end": ("SiteCertificate", certificate(13)),
    "certificate ended": ("SiteCertificate", certificate(-1)),
    "no call": ("IntakeQuiet", quiet),
    "backup old": ("BackupOld", no_backup),
    "no backup": ("BackupOld", never_a_backup),
    "no inode": ("StateFolderBroken", no_inode),
    "poisoned": ("StepKillsWorker", poisoned),
    "disk of the database": ("DatabaseDiskNearlyFull", full_database_disk),
    "answers 20000": ("OrdersNotStored", refused_for_now),
    "errors": ("DatabaseErrors", figures(**{"desk_database_errors_total other": 11})),
    "callbacks": ("CallbacksRefused", figures(**{"desk_inbound_total 401": 5})),
    "slow intake": (
        "SlowIntake",
        figures(**{"desk_inbound_seconds bboss all": 20, "desk_inbound_seconds bboss quick": 19}),
    ),
    "slow partner": ("SlowPartner", figures(**{"desk_call_seconds bpm all": 20, "desk_call_seconds bpm quick": 19})),
    "refusals": ("PartnerRefuses", figures(**{"desk_calls_total bpm refused": 6, "desk_calls_total bpm done": 5})),
    "a growing queue": ("QueueGrowing", growing),
}
ON_POSTGRESQL = {
    "idle transaction": ("TransactionOld", idle_transaction),
    "archive": ("ArchiveFails", archive),
    "sequence": ("OrdersNotStored", unstorable(lambda: sequence_at_its_end("orders_dispatch"))),
    "trigger": ("OrdersNotStored", unstorable(lambda: raises("orders_dispatch", "no", "P0001"))),
    "CHECK": ("OrdersNotStored", unstorable(lambda: constraint("false", "orders_billingrecord"))),
    "LOCK TABLE": ("OrdersNotStored", unstorable(lambda: lock("orders_order"))),
    "LOCK TABLE of calls": ("OrdersNotStored", unstorable(lambda: lock("orders_acceptedcall"))),
}


def mailed() -> list[str]:
    """Returns the subjects of the mails that were sent, through the outbox or without it."""
    written = Mail.objects.filter(kind__startswith="notice_alarm").order_by("pk").values_list("subject", flat=True)
    return [*(one.subject for one in mail.outbox), *written]


@pytest.mark.parametrize("play", [*PLAYS, *ON_POSTGRESQL])
def test_each_stop_is_heard_and_is_over(settings, tmp_path, play):
    """`status`, a mail and robots report the failure at the first check, or at the second check of five minutes."""
    if play in ON_POSTGRESQL and connection.vendor != POSTGRESQL:
        pytest.skip("only PostgreSQL has it")
    alarm, way = (PLAYS | ON_POSTGRESQL)[play]
    beat("one")
    Timeline.objects.update(begun_at=timezone.now())
    (code,) = {code for code, stop in silent_failures.SILENT_FAILURES.items() if stop.alarm == alarm}
    look_around()
    assert (status()["reasons"], Incident.objects.count(), mailed()) == ([], 0, [])
    with way(settings, tmp_path) as words:
        write_try.tried_at = float("-inf")
        look_around()
        write_try.tried_at = float("-inf")
        found = status()
        assert alarm in [row["name"] for row in found["alarms"]]
        assert [reason for reason in found["reasons"] if words in reason]
        assert Incident.objects.get(code=code).state == Incident.State.OPEN
        if alarm in AT_ONCE:
            assert len(mailed()) == 1
        note_alerts(now=timezone.now())
        assert ToldIncident.objects.count() == 1
    look_around()
    assert Incident.objects.get(code=code).state == Incident.State.RESOLVED
    assert (status()["alarms"], len(mailed())) in [([], 2), ([], 0)]


def test_a_lock_that_keeps_mails_out_of_the_outbox_is_mailed_past_it_once(settings):
    if connection.vendor != POSTGRESQL:
        pytest.skip("SQLite locks no table")
    beat("one")
    with lock("orders_order"):
        look_around()
        (sent,) = mail.outbox
        assert (sent.to, "a lock: pid " in sent.body) == (["ops@example.com"], True)
        write_try.tried_at = float("-inf")
        look_around()
        assert (len(mail.outbox), Mail.objects.count()) == (1, 0)


def test_an_ignored_one_stays_ignored_until_it_is_over(settings, tmp_path):
    """The desk's own backup is missing, because others make the backups. The incident is ignored, and stays ignored
    until its cause is over."""
    beat("one")
    with never_a_backup(settings, tmp_path):
        look_around()
        ignore_incident(incident_id=Incident.objects.get().pk, reason="tape", by="x", now=timezone.now())
        look_around()
        assert (Incident.objects.get().state, status()["reasons"]) == (Incident.State.IGNORED, [])
    look_around()
    assert Incident.objects.get().state == Incident.State.RESOLVED


def test_only_the_machine_that_saw_it_ends_it(settings, tmp_path, monkeypatch):
    beat("one")
    with no_inode(settings, tmp_path):
        look_around()
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    look_around()
    assert Incident.objects.get(code="state_folder_broken").state == Incident.State.OPEN


@pytest.mark.parametrize(
    "arrange",
    [
        lambda settings: setattr(settings, "INTAKE_QUIET_MINUTES", 0),
        lambda settings: Timeline.objects.update(restored_at=timezone.now()),
        lambda settings: orders_not_stored.count_order_not_stored(),
        lambda settings: factories.InboundMessageFactory(received_at=timezone.now()),
    ],
    ids=["switched off", "restored", "20000", "a call"],
)
def test_quiet_is_only_told_where_calls_are_missed(settings, arrange):
    settings.INTAKE_QUIET_MINUTES = 10
    assert silent_failures.intake_quiet(now=timezone.now()) is None  # nobody has ever called
    factories.InboundMessageFactory(received_at=timezone.now() - datetime.timedelta(minutes=11))
    factories.InboundMessageFactory(received_at=timezone.now(), signed=False)  # a stranger's call is not one of BBOSS
    assert silent_failures.intake_quiet(now=timezone.now())["minutes"] == 11
    arrange(settings)
    assert silent_failures.intake_quiet(now=timezone.now()) is None


def test_figures_are_those_of_the_counters(settings):
    before = last_hour._figures(timezone.now())
    counters.count_call("bpm", "start_bpm", "refused", 11.0)
    counters.count_call("bpm", "start_bpm", "done", 1.0)
    counters.count_inbound("bboss", "00000", 3.0)
    counters.count_inbound("bpm", "401", 0.1)
    counters.count_database_error("other")
    factories.DispatchFactory(channel="bpm", next_try_at=timezone.now() - datetime.timedelta(seconds=1))
    after = last_hour._figures(timezone.now())
    rose = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert rose == {
        "desk_calls_total bpm refused": 1,
        "desk_calls_total bpm done": 1,
        "desk_call_seconds bpm all": 2,
        "desk_call_seconds bpm quick": 1,
        "desk_inbound_seconds bboss all": 1,
        "desk_inbound_seconds bpm all": 1,
        "desk_inbound_seconds bpm quick": 1,
        "desk_inbound_total 401": 1,
        "desk_database_errors_total other": 1,
        "due bpm": 1,
    }


def test_an_outage_that_is_over_is_not_slow_any_more(settings, monkeypatch):
    slow, still = {"desk_inbound_seconds bboss all": 90, "desk_inbound_seconds bboss quick": 60}, timezone.now()
    for minutes, figures_then in ((6, dict.fromkeys(slow, 0)), (5, slow), (3, slow), (0, slow)):
        monkeypatch.setattr(last_hour, "_figures", lambda now, found=figures_then: found)
        last_hour.note_figures(now=still - datetime.timedelta(minutes=minutes))
        found = last_hour.slow_intake(now=still - datetime.timedelta(minutes=minutes))
        assert bool(found) == (minutes == 5)


def test_a_worker_looks_each_minute(monkeypatch):
    asked = []
    monkeypatch.setattr("integrations.tasks.async_task", lambda path, cluster: asked.append((path, cluster)))
    tasks.sweep()
    [(path, key)] = asked
    # version 1.11.0 does not read this queue key
    assert (path, key) == ("project.observability.looks.look_around", "apart")
    assert pydoc.locate(path) is look_around


def test_a_look_that_fails_stops_no_other(monkeypatch, caplog):
    done = []

    def broken(*, now):
        raise ZeroDivisionError

    replace_parts(monkeypatch, note_figures=broken, watch_at_once=lambda *, now: done.append(now))
    look_around()
    assert (len(done), "broken failed" in caplog.text) == (1, True)


def test_a_worker_that_starts_after_a_stop_is_no_alarm():
    """After a stop no worker gave a sign of life, and steps are late for a moment. The first check after the start
    reports neither."""
    step = factories.DispatchFactory(next_try_at=timezone.now() - datetime.timedelta(seconds=300))
    look_around()
    assert mailed() == []
    look_around()  # a minute later the lateness is no longer momentary
    assert len(mailed()) == 1
    assert "StepsLate" in Mail.objects.get().body
    type(step).objects.update(next_try_at=ahead())
    look_around()
    assert len(mailed()) == 2


def test_a_state_folder_that_takes_nothing_is_no_traceback(settings, caplog):
    (settings.STATE_DIR / "file").touch()
    settings.STATE_DIR = settings.STATE_DIR / "file"
    look_around()
    assert Incident.objects.get().code == "state_folder_broken"
    assert "Traceback" not in caplog.text
