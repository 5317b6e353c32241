"""A database that is older than this machine has seen it: nothing is sent until staff release it, and what happens
then (contract 3.9, 17; 3.9, 15; section 5, `restored`)."""

import contextlib
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from orders.actions.take import take
from orders.erasing.erase_due import erase_due
from orders.erasing.erased_list import erased_file, hash_of, listed, merge_erased, note_erased
from orders.models import Dispatch, OrderEvent, Timeline
from orders.office.bulk.bulk_runs import stop_runs
from orders.pauses.release_restored import open_restore, release_restored
from orders.restore import detect_restore, mark_file
from orders.restore.manual_trial_numbers import note_numbers
from orders.sending.trial_traffic import ask_for_usage
from orders.texts.errors import NotAllowedError
from tests.flows.conftest import BILLING, BPM, DELETE, QUERY, USAGE, code_of
from tests.flows.contents import activation, trial, withdrawal

A, B = "a.example.com", "b.example.com"


@pytest.fixture
def state_dir(settings, tmp_path):
    settings.STATE_DIR = tmp_path / "state"
    mark_file.mark_writer.written.clear()
    return settings.STATE_DIR


@pytest.fixture
def past(desk, state_dir):
    """Returns a context manager. After `with past():` our database is put back to its copy from before the block, so
    it has forgotten what happened inside. The partners and the machine's STATE_DIR remember."""

    @contextlib.contextmanager
    def forgotten():
        copy = connection.savepoint()
        yield
        mark_file.raise_mark(Timeline.objects.latest("pk").name, OrderEvent.objects.latest("pk").pk)
        connection.savepoint_rollback(copy)
        connection.savepoint_commit(copy)
        desk.clock.shift(60)

    yield forgotten
    # the tests play 409 answers, which the sandbox notes as violations
    desk.sandbox.partners.store._run("DELETE FROM violations WHERE kind = 'key_reused'")


def release(**more):
    """Releases the desk after a restore, as `restored` does. Any process that reads the database has detected the
    restore before."""
    detect_restore.read_restore_state()
    release_restored(reason="已与 BBOSS 核对", by="command:test", now=timezone.now(), stop_runs=stop_runs, **more)


def test_a_database_behind_the_mark_counts_as_restored_and_says_so_to_all(desk, past, client, capsys, trialing):
    with past():
        desk.play(activation("A1"))
    assert detect_restore.read_restore_state().restored
    row = open_restore()
    assert row.restored["seen"] > row.restored["newest"]
    assert OrderEvent.objects.filter(kind="database_restored").count() == 1
    detect_restore.read_restore_state()
    assert OrderEvent.objects.filter(kind="database_restored").count() == 1
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert any("restored" in reason for reason in reply.json()["reasons"])
    assert code_of("status") == 1
    assert "wrong: the database was restored" in capsys.readouterr().out
    assert "desk_restored 1.0" in client.get("/metrics").content.decode()
    release()
    assert "desk_restored 0.0" in client.get("/metrics").content.decode()


def test_one_that_was_never_seen_or_is_ahead_does_not(desk, state_dir, trialing):
    assert not detect_restore.read_restore_state().restored
    mark_file.raise_mark(Timeline.objects.get().name, OrderEvent.objects.latest("pk").pk)
    assert not detect_restore.read_restore_state().restored
    desk.play(activation("A1"))
    assert not detect_restore.read_restore_state().restored


def test_bboss_and_bpm_are_told_to_come_again_and_nothing_is_stored(desk, past, active):
    with past():
        desk.play(activation("A2", B))
    detect_restore.read_restore_state()
    before = OrderEvent.objects.count()
    for content in (activation("A2", B), trial("T1", A), withdrawal("A1")):
        assert desk.refused(content) == ("20000", "")
    assert desk.approve("A1") == 503
    assert OrderEvent.objects.count() == before
    assert not desk.knows("A2")


def test_nothing_but_look_ups_is_sent(desk, past, mailoutbox):
    desk.play(trial("T1", A), activation("A1"), trial("T2", B))
    desk.post(activation("A2", B))
    ask_for_usage(by="command:test", now=timezone.now())
    with past():
        desk.deliver()
    known = len(desk.sandbox.calls())
    del mailoutbox[:]
    desk.deliver()
    assert {call["path"] for call in desk.sandbox.calls()[known:]} == {USAGE}
    assert mailoutbox == []
    release()
    desk.deliver()
    assert mailoutbox


def test_commands_name_what_was_entered_by_hand_and_lost(desk, past, capsys, trialing):
    with past():
        desk.play(activation("A1"))
        note_numbers(["T8"], by="staff:wang", now=timezone.now())
    detect_restore.read_restore_state()
    assert code_of("status") == 1
    told = capsys.readouterr().out
    assert "not in this database: 1 trial that was entered by hand" in told
    assert "T8 2023-09-20" in told
    assert code_of("status", "--json") == 1
    assert json.loads(capsys.readouterr().out)["restored"]["entered_missing"] == ["T8"]
    call_command("restored", reason="checked", by="zhao")
    told = capsys.readouterr().out
    assert "their records may live at the big-data side" in told
    assert "T8 2023-09-20" in told


def test_the_word_needs_a_reason_and_a_restored_database(desk, past):
    with pytest.raises(CommandError, match="does not count as restored"):
        call_command("restored", reason="because")
    with past():
        desk.play(trial("T1", A))
    detect_restore.read_restore_state()
    with pytest.raises(CommandError, match="needs a reason"):
        call_command("restored", reason=" ")
    call_command("restored", reason="checked", by="zhao")
    assert not detect_restore.read_restore_state().restored
    row = Timeline.objects.latest("pk")
    assert (row.begun_by, row.reason) == ("command:zhao", "checked")
    desk.play(trial("T1", A))
    assert desk.state("T1") == "trialing"


def test_a_billing_step_that_was_attempted_before_is_asked_about_and_never_sent(desk, past):
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A))
    with past():
        desk.wait_out()
        assert desk.state("T1") == "trialing"
    desk.deliver()
    release()
    sent = len(desk.sent(BILLING))
    desk.wait_out()
    assert (desk.state("T1"), desk.records("T1"), desk.troubles("T1")) == ("trialing", {A: "live"}, [])
    assert len(desk.sent(BILLING)) == sent
    assert len(desk.sent(QUERY)) == 1


def test_where_the_partner_holds_nothing_it_stops_until_staff_resend(desk, past):
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A))
    with past():
        desk.post(trial("T2", B))
    release()
    desk.wait_out()
    assert (desk.state("T1"), desk.troubles("T1")) == ("failed", ["acted_before"])
    desk.command("resend", "T1")
    assert (desk.state("T1"), desk.alive_there("T1"), desk.troubles("T1")) == ("trialing", [A], [])


def test_a_deletion_that_was_attempted_before_is_asked_about(desk, past, active):
    desk.sandbox.fault(path=DELETE, kind="503")
    desk.play(withdrawal("A1"))
    with past():
        desk.wait_out()
        desk.play(activation("A2"))
    release()
    deletes = len(desk.sent(DELETE))
    desk.wait_out()
    assert desk.state("A1") == "withdrawn"
    assert len(desk.sent(DELETE)) == deletes


def test_a_step_first_attempted_afterwards_is_repeated_as_ever(desk, past):
    desk.post(trial("T1", A))
    with past():
        desk.post(trial("T2", B))
    release()
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.deliver()
    desk.wait_out()
    assert (desk.state("T1"), len(desk.sent(BILLING)), desk.sent(QUERY)) == ("trialing", 2, [])


def test_a_bpm_step_of_an_order_from_before_waits_for_a_person(desk, past, trialing):
    desk.post(activation("A1"))
    with past():
        desk.deliver()
        assert desk.state("A1") == "active"
    release()
    desk.deliver()
    assert (desk.state("A1"), desk.troubles("A1")) == ("failed", ["restored"])
    assert desk.step("A1", "start_bpm").state == "failed"
    assert desk.order("A1").undo_since is None
    desk.wait_out()
    assert len(desk.sent(BPM)) == 1
    desk.command("resend", "A1")
    assert desk.state("A1") == "active"
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 1
    # the same key with other bytes: BPM has the process from before the restore
    assert desk.troubles("A1") == ["acted_before"]


def test_one_that_was_being_retried_keeps_key_and_bytes(desk, past, trialing):
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))
    with past():
        desk.wait_out()
    detect_restore.read_restore_state()
    call_command("restored", reason="checked")
    assert (desk.state("A1"), desk.troubles("A1")) == ("failed", ["restored"])
    desk.command("resend", "A1")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])
    bodies = desk.sent(BPM)
    assert all(body == bodies[0] for body in bodies)


def test_a_person_may_resend_before_the_word(desk, past, trialing):
    desk.sandbox.fault(path=BPM, kind="503")
    desk.play(activation("A1"))
    with past():
        desk.wait_out()
    detect_restore.read_restore_state()
    desk.command("resend", "A1")
    assert len(desk.sent(BPM)) == 2
    desk.command("restored", reason="checked")
    assert (desk.state("A1"), desk.troubles("A1")) == ("active", [])


def test_orders_that_bboss_sends_again_go_out_by_themselves_and_meet_their_own_keys(desk, past, trialing):
    with past():
        desk.play(activation("A1"), activation("A2", B))
        desk.decided("A2")
    release()
    desk.play(activation("A1"), activation("A2", B))
    assert (desk.state("A1"), desk.state("A2")) == ("active", "awaiting_approval")
    assert len({call["key"] for call in desk.sandbox.calls(path=BPM)}) == 2
    desk.decided("A2", record="bpm-2-1")
    assert desk.state("A2") == "active"
    assert (desk.alive_there("A1"), desk.alive_there("A2"), desk.alive_there("T1")) == ([A], [B], [])


def test_fix_leaves_orders_from_before_until_take(desk, past, trialing):
    with past():
        desk.play(trial("T2", B))
        theirs = desk.held_there("T1")[A]
        desk.sandbox.partners.store.put_record(theirs | {"createTime": "20230920000000"})
    release()
    fix(desk)
    assert not Dispatch.objects.filter(step__startswith="fix_").exists()
    take(number="T1", reason="已核对", by="command:test", now=timezone.now())
    desk.sandbox.partners.store.delete_record(theirs)
    fix(desk)
    assert desk.held_there("T1")[A]["createTime"] == "20230920000000"


def test_fix_does_nothing_while_it_counts_as_restored_or_by_what_was_planned_before(desk, past, trialing):
    desk.sandbox.partners.store.delete_record(desk.held_there("T1")[A])
    compare()
    with past():
        desk.deliver()
        desk.play(trial("T2", B))
    release()
    calls = len(desk.sent(BILLING))
    desk.wait_out()
    assert len(desk.sent(BILLING)) == calls
    assert desk.step("T1", "fix_create_billing").state == "closed"


@pytest.mark.whole
def test_several_restores_in_a_row(desk, past, trialing):
    for number in ("A1", "A2", "A3"):
        with past():
            desk.play(activation(number, B))
        assert detect_restore.read_restore_state().restored
        release()
        assert not detect_restore.read_restore_state().restored
    with past():
        with pytest.raises(NotAllowedError):
            release()
        desk.play(activation("A1", B))
    assert detect_restore.read_restore_state().restored
    release()
    desk.play(activation("A1", B))
    assert desk.state("A1") == "awaiting_approval" or desk.state("A1") == "active"
    assert Timeline.objects.count() == 5


def test_a_copy_from_before_the_word_counts_as_restored_again(desk, past, trialing):
    with past():
        with past():
            desk.play(activation("A1"))
        release()
        desk.play(trial("T2", B))
    assert detect_restore.read_restore_state().restored


def compare() -> None:
    """Runs `reconcile --fix` and expects the exit code for differences."""
    assert code_of("reconcile", fix=True) == 1


def fix(desk) -> None:
    compare()
    desk.wait_out()


@pytest.mark.parametrize("day", ["20231010", "20230930"])
def test_a_start_that_was_moved_after_the_backup_is_asked_for_before_its_cancel(desk, past, day):
    """Contract 3.9 (18): the start was moved after the backup. So a query comes before the cancel, and the trial is
    not cancelled on the old day."""
    desk.play(trial("T1", A), activation("A1", start="20230930"))
    with past():
        desk.post(trial("T2", "c.example.com"))
        if day != "20230930":
            desk.command("move_start", "A1", day, reason="the customer asks")
    release()
    asked = len(desk.sent(QUERY))
    desk.sweep("2023-09-30 00:00:00")
    desk.deliver()
    assert len(desk.sent(QUERY)) == asked + 1
    if day == "20230930":
        assert (desk.state("A1"), desk.alive_there("T1")) == ("active", [])
        return
    assert (desk.state("A1"), desk.alive_there("T1"), desk.order("A1").biz_start.day) == ("scheduled", [A], 10)
    desk.sweep("2023-10-10 00:00:00")
    assert (desk.state("A1"), desk.alive_there("T1"), len(desk.sent(QUERY))) == ("active", [], asked + 1)


def test_starts_that_disagree_after_a_restore_stop_the_cancel(desk, past):
    desk.play(trial("T1", A, B), activation("A1", start="20230930"))
    with past():
        desk.sandbox.partners.store.put_record(desk.held_there("A1")[A] | {"createTime": "20231010000000"})
        desk.post(trial("T2", "c.example.com"))
    release()
    desk.sweep("2023-09-30 00:00:00")
    desk.deliver()
    assert (desk.state("A1"), desk.alive_there("T1"), desk.troubles("A1")) == ("scheduled", [A, B], ["move_failed"])
    desk.command("take", "A1", reason="theirs")
    assert (desk.state("A1"), desk.alive_there("T1"), desk.troubles("A1")) == ("active", [], [])


def test_what_was_erased_after_the_backup_is_erased_again(desk, past, capsys):
    """Contract 3.14: orders that were erased after the backup are erased again. The list of erased orders is stored
    beside the numbers entered by hand, so no restore puts it back."""
    desk.play(trial("T1", A, OperTel="13800000000"), withdrawal("T1"), trial("T2", A))
    note_erased(["T1", "T2", "T3"], now=timezone.now())
    with past():
        desk.play(trial("T3", A), withdrawal("T3"))
    detect_restore.read_restore_state()
    assert erase_due(now=timezone.now()) == 0  # nothing is erased before staff release the desk
    call_command("restored", reason="已与 BBOSS 核对")
    assert (desk.order("T1").oper_tel, desk.order("T2").oper_tel) == ("", "13800000000")
    out = capsys.readouterr().out
    assert "erased again: the personal data of T1\n" in out
    assert "T2: not erased, because order T2 is trialing" in out
    desk.play(withdrawal("T2"))
    assert (erase_due(now=timezone.now()), erase_due(now=timezone.now())) == (1, 0)
    assert desk.order("T2").oper_tel == ""


def test_a_backups_list_of_erased_orders_is_merged():
    erased_file().unlink(missing_ok=True)
    note_erased(["T1"], now=timezone.now())
    copy = erased_file().read_bytes()
    note_erased(["T2"], now=timezone.now())
    assert (merge_erased(copy), len(erased_file().read_text().splitlines())) == (0, 2)
    erased_file().write_bytes(b"torn")
    assert (merge_erased(copy), listed()) == (1, {hash_of("T1")})
