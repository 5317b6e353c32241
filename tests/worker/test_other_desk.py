"""A second desk on the same database: the newer desk's worker takes no step and says so (contract 3.9, 11)."""

import os
import socket
import subprocess
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from integrations import tasks
from integrations.base import other_desk
from integrations.base.other_desk import (
    differences_from_desk,
    digest,
    other_desks,
    register_process,
    unregister_process,
    watch_other_desks,
)
from integrations.models import DeskProcess
from integrations.partners.profile import read_profile
from integrations.worker import watchdog
from integrations.worker.watchdog import Watchdog
from orders.models import Incident, Order, Pause, TrailEntry
from orders.pauses.pause_and_resume import pause_partner
from orders.restore.detect_restore import RestoreState
from project.observability.readiness import readiness
from project.trail.command_trail import note_command
from tests.bboss_messages import post_order
from tests.flows.contents import trial

pytestmark = pytest.mark.django_db
OTHERS = {
    "BPM_BASE_URL": "https://bpm-test.example.com/bpm",
    "BIGDATA_BASE_URL": "http://127.0.0.1:8090/bigdata",
    "BBOSS_DOMAIN": "CDNT",
    "BBOSS_ROUTE_VALUE": "996",
    "BBOSS_ENV_FLAG": "1",
    "SECRET_KEY": "another key",
}


def become(settings, **values: str) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


def codes() -> list[str]:
    return list(Incident.objects.unresolved().values_list("code", flat=True))


@pytest.mark.parametrize("name", OTHERS)
def test_the_newer_one_that_would_call_others_takes_no_step(settings, name):
    assert register_process("ours") == []
    become(settings, **{name: OTHERS[name]})
    assert register_process("theirs") == [name]
    assert differences_from_desk("theirs") == [name]
    assert [(row.name, row.differs) for row in other_desks(now=timezone.now())] == [("theirs", [name])]


def test_equal_ones_work_beside_each_other(settings):
    assert register_process("ours") == []
    become(settings, BPM_BASE_URL=settings.BPM_BASE_URL + "/", SECRET_KEY_FALLBACKS=["k"])
    assert [register_process("second"), differences_from_desk("second"), differences_from_desk("ours")] == [[], [], []]
    assert other_desks(now=timezone.now()) == []


def test_no_secret_is_kept(settings):
    become(settings, SECRET_KEY="a secret of ours", BPM_BASE_URL="https://desk:geheim@bpm.example.com/bpm")
    register_process("ours")
    kept = str(list(DeskProcess.objects.values()))
    assert "bpm.example.com/bpm" in kept
    assert "geheim" not in kept
    assert "a secret of ours" not in kept


def test_a_key_that_is_honoured_is_no_difference(settings):
    """While SECRET_KEY is changed machine by machine (operations.md), a key that a process still accepts counts as its
    own."""
    register_process("ours")
    old = settings.SECRET_KEY
    become(settings, SECRET_KEY="new", SECRET_KEY_FALLBACKS=[old])
    assert register_process("second") == []
    become(settings, SECRET_KEY=old, SECRET_KEY_FALLBACKS=["new"])
    assert differences_from_desk("ours") == []


def test_the_only_worker_changes_what_it_calls_at_its_start(settings):
    """A worker that is the only one changes the desk's values at its start: after the earlier worker stopped in order,
    and two minutes after the earlier worker was killed."""
    register_process("first")
    unregister_process("first")
    become(settings, **OTHERS)
    assert register_process("second") == []
    assert DeskProcess.objects.get(name="in force").calls == other_desk.calls_of_this_process()


def test_a_killed_worker_is_waited_for_as_long_as_it_counts_as_alive(settings, clock):
    register_process("killed")
    become(settings, **OTHERS)
    clock.shift(119)
    assert register_process("second") == list(OTHERS)
    clock.shift(2)
    assert register_process("third") == []


def test_one_that_was_killed_on_this_machine_is_not_waited_for(settings):
    """A worker that was killed on this machine never said goodbye, but its process is gone. So a new worker does not
    wait for it."""
    register_process("killed")
    gone = subprocess.Popen(["true"])
    gone.wait()
    DeskProcess.objects.filter(name="killed").update(pid=gone.pid)
    become(settings, **OTHERS)
    DeskProcess.objects.filter(name="killed").update(machine="another")
    assert register_process("second") == list(OTHERS)
    DeskProcess.objects.filter(name="killed").update(machine=socket.gethostname()[:64])
    assert register_process("third") == []


def test_a_reload_changes_it_for_all_machines(settings):
    """A reload changes the desk's values for all machines. The other machines' workers wait until they are reloaded
    too, and those reloads change nothing more."""
    register_process("one"), register_process("two")
    before = {name: getattr(settings, name) for name in OTHERS}
    first = digest()
    unregister_process("one")
    become(settings, **OTHERS)
    assert register_process("one, reloaded", before=first) == []
    become(settings, **before)
    assert differences_from_desk("two") == list(OTHERS)
    unregister_process("two")
    assert register_process("two, reloaded as it was", before=digest()) == list(OTHERS)
    unregister_process("two, reloaded as it was")
    become(settings, **OTHERS)
    assert register_process("two, reloaded", before=first) == []


def test_a_start_on_a_restored_database_never_changes_it(settings, restored):
    DeskProcess.objects.create(name="in force", calls=other_desk.calls_of_this_process(), seen_at=timezone.now())
    become(settings, BPM_BASE_URL=OTHERS["BPM_BASE_URL"])
    assert register_process("rehearsal") == ["BPM_BASE_URL"]


@pytest.fixture
def restored(monkeypatch):
    monkeypatch.setattr(other_desk, "read_restore_state", lambda: RestoreState(restored=True))


def test_adopting_ends_it(settings, capsys):
    register_process("ours")
    become(settings, **OTHERS)
    register_process("theirs")
    other_desk.open_incident(list(OTHERS), now=timezone.now())
    assert codes() == ["other_desk"]
    with pytest.raises(CommandError):
        call_command("status")
    assert (
        "wrong: theirs would call others than the desk of this database, by BPM_BASE_URL, " in capsys.readouterr().out
    )
    watch_other_desks(now=timezone.now())
    assert codes() == ["other_desk"]
    call_command("settings", "--adopt")
    assert f"adopted: {', '.join(OTHERS)};" in capsys.readouterr().out
    assert differences_from_desk("theirs") == []
    watch_other_desks(now=timezone.now())
    assert codes() == []
    call_command("settings", "--adopt")
    assert "nothing differed" in capsys.readouterr().out


@pytest.mark.parametrize("words, noted", [(["--adopt"], 1), ([], 0)])
def test_who_adopted_stands_in_the_trail(words, noted):
    note_command(["manage.py", "settings", *words], done=False)
    assert TrailEntry.objects.filter(about="settings").count() == noted


def test_one_that_is_gone_is_named_no_longer(settings, clock):
    register_process("ours")
    become(settings, **OTHERS)
    register_process("theirs")
    other_desk.open_incident(["SECRET_KEY"], now=timezone.now())
    clock.shift(121)
    watch_other_desks(now=timezone.now())
    assert codes() == []


def test_other_processes_ask_the_partner_nothing(settings, monkeypatch):
    """A process with other values asks the partner nothing, because another partner might answer."""
    register_process("ours")
    become(settings, BIGDATA_BASE_URL=OTHERS["BIGDATA_BASE_URL"])
    with pytest.raises(other_desk.BooksSilentError, match="by BIGDATA_BASE_URL"):
        other_desk.refuse_other_desk()
    with pytest.raises(CommandError, match="the desk of this database calls others, by BIGDATA_BASE_URL"):
        call_command("deliver")
    monkeypatch.setattr(tasks, "run_drain", None)
    assert tasks.drain() == "the desk of this database calls others, by BIGDATA_BASE_URL"


# --- web processes


THEIRS = read_profile('[bpm]\nflow = "others"')


@pytest.fixture
def web(monkeypatch):
    """Returns the state of this process as a web process that has just begun."""
    monkeypatch.setattr(other_desk, "web", other_desk._Web())
    return other_desk.web


def refused(client, web) -> bool:
    web.agreed_at, number = float("-inf"), Order.objects.count()
    answer = post_order(client, trial(f"T{number}", f"{number}.example.com"))
    assert answer["response"]["rspCode"] in {"00000", "20000"}
    return answer["response"]["rspCode"] == "20000"


def test_a_web_process_with_another_profile_takes_no_order(settings, client, web, clock, capsys):
    register_process("worker")
    settings.PARTNERS = THEIRS
    assert register_process("web", works=False) == ["PARTNERS_FILE"]
    assert refused(client, web)
    assert not Order.objects.exists()
    assert "other profile" in readiness(timezone.now(), intake=True)["reasons"][0].replace("another", "other")
    with pytest.raises(CommandError):
        call_command("status")
    assert "web would call others than the desk of this database, by PARTNERS_FILE: it answers BBOSS 20000" in (
        capsys.readouterr().out
    )
    call_command("settings", "--adopt")
    assert not refused(client, web)


def test_a_reload_of_the_web_brings_its_profile_into_force(settings, client, web):
    """A reload of a web process makes its profile the desk's. The worker waits until it is reloaded too. The web
    process's other settings for calls do not become the desk's."""
    register_process("worker")
    old, domain = settings.PARTNERS, settings.BBOSS_DOMAIN
    become(settings, PARTNERS=THEIRS, BBOSS_DOMAIN="CDNT")
    web.changed = True
    assert not refused(client, web)  # the reloaded process has not registered its start yet
    assert register_process("web", works=False, changed=True) == ["BBOSS_DOMAIN"]
    web.changed = False
    assert not refused(client, web)
    become(settings, PARTNERS=old, BBOSS_DOMAIN=domain)
    assert differences_from_desk("worker") == ["PARTNERS_FILE"]


def test_old_web_processes_go_on_while_a_reload_replaces_them(settings, client, web, clock):
    register_process("web", works=False)
    assert not refused(client, web)
    old, settings.PARTNERS = settings.PARTNERS, THEIRS
    register_process("web, reloaded", works=False, changed=True)
    settings.PARTNERS = old
    assert not refused(client, web)
    clock.shift(16)
    assert refused(client, web)


@pytest.mark.parametrize("works", [True, False])
def test_a_start_sets_the_profile_where_no_other_heartbeat_is_alive(settings, works):
    """A start makes the profile the desk's only if no other process is alive. Heartbeats of web processes and of
    workers both count."""
    register_process("first", works=works)
    old, settings.PARTNERS = settings.PARTNERS, THEIRS
    assert [register_process("second", works=works), register_process("third", works=not works)] == [
        ["PARTNERS_FILE"]
    ] * 2
    unregister_process("first")
    assert [register_process("fourth", works=False), register_process("fifth")] == [[], []]
    unregister_process("fourth"), unregister_process("fifth"), unregister_process("second"), unregister_process("third")
    settings.PARTNERS = old
    assert register_process("sixth", works=False) == []


def test_a_web_process_never_sets_it_on_a_restored_database(settings, restored):
    DeskProcess.objects.create(name="in force", calls=other_desk.calls_of_this_process(), seen_at=timezone.now())
    settings.PARTNERS = THEIRS
    assert register_process("rehearsal", works=False) == ["PARTNERS_FILE"]


def test_a_process_of_the_release_before_is_no_other_one(settings, client, web):
    """A process of an older release knows no profile, so its profile does not count as another one."""
    calls = {name: value for name, value in other_desk.calls_of_this_process().items() if name != "PARTNERS_FILE"}
    about = {"seen_at": timezone.now(), "calls": calls}
    DeskProcess.objects.create(name="in force", **about)
    DeskProcess.objects.create(name="1.10.0", works=True, machine="desk1", **about)
    settings.PARTNERS = THEIRS
    assert not refused(client, web)
    assert other_desk.machines_with_another_profile() == []
    assert register_process("second") == []


def test_resume_waits_until_all_have_the_same_profile(settings, web, clock):
    register_process("worker"), register_process("web", works=False)
    pause_partner(partner="bpm", reason="x", by="command:root", now=timezone.now())
    settings.PARTNERS = THEIRS
    register_process("web, reloaded", works=False, changed=True)
    here = socket.gethostname()
    with pytest.raises(CommandError, match=rf"another profile .*: web \({here}\), worker \({here}\). Reload them"):
        call_command("resume", "bpm")
    unregister_process("worker"), unregister_process("web")
    register_process("worker, reloaded")
    call_command("resume", "bpm")


def test_a_page_does_not_resume_either(settings, web, admin_client):
    pause_partner(partner="bpm", reason="x", by="command:root", now=timezone.now())
    register_process("worker")
    settings.PARTNERS = THEIRS
    page = admin_client.post("/admin/orders/pause/bpm/resume/", follow=True).content.decode()
    assert "未做任何操作" in page
    assert f"worker ({socket.gethostname()})" in page
    assert Pause.objects.not_ended().exists()


def test_before_the_migration_nothing_is_compared(settings):
    register_process("ours")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE integrations_deskprocess RENAME TO gone")
    become(settings, **OTHERS)
    assert register_process("theirs") == []


@pytest.fixture
def dog(monkeypatch):
    """Returns a watchdog that starts and ends no real cluster."""
    monkeypatch.setattr(watchdog, "close_old_connections", lambda: None)
    found = Watchdog()
    found.start = lambda: setattr(found, "process", object())
    found.end = lambda *, orderly: setattr(found, "process", None)
    return found


@pytest.mark.parametrize("others, starts", [({}, True), (OTHERS, False)])
def test_the_watchdog_starts_a_cluster_only_where_it_calls_the_same(dog, settings, monkeypatch, others, starts):
    monkeypatch.setattr(watchdog.signal, "signal", lambda *_: None)
    dog.stop = lambda: None
    dog.stopping.set()
    register_process("ours")
    become(settings, **others)
    dog.run()
    assert (dog.process is not None) == starts


def test_the_watchdog_ends_its_cluster_and_starts_it_again(dog, settings, caplog):
    register_process(dog.name)
    dog.start()
    dog.compare_with_desk()
    assert dog.process
    DeskProcess.objects.filter(name="in force").update(
        calls=other_desk.calls_of_this_process() | {"BBOSS_DOMAIN": "CDNT"}
    )
    dog.compare_with_desk()
    assert dog.process is None
    assert "this worker takes no step: it would call others" in caplog.text
    assert codes() == []  # there is no incident yet, because a reload of all machines takes a moment
    dog.compare_at = dog.incident_at = 0.0
    dog.check()
    assert (dog.process, codes()) == (None, ["other_desk"])
    call_command("settings", "--adopt")
    dog.compare_at = 0.0
    dog.check()
    assert dog.process


def test_web_processes_say_it_after_a_minute(settings, monkeypatch):
    register_process("ours")
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) > 2:
            raise SystemExit
        become(settings, BBOSS_DOMAIN="CDNT")

    # only this module's sleep is replaced, because other threads sleep too
    monkeypatch.setattr(other_desk, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(other_desk.connections, "close_all", lambda: None)
    with pytest.raises(SystemExit):
        other_desk.watch_web()
    assert waits == [60, 60, 60]
    assert codes() == ["other_desk"]
    assert [row.name.endswith(f"-{os.getpid()}") for row in other_desks(now=timezone.now())] == [True]
