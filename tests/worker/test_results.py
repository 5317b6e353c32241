"""A worker never loses a call's result, whatever the database does (contract 3.5, 3.9 Leases)."""

import datetime
import uuid
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError, ProgrammingError
from django.db.migrations.recorder import MigrationRecorder
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure

from integrations import tasks
from integrations.delivery import loop
from integrations.delivery.loop import UnrecordedError, record_safely
from integrations.worker.parent_link import ending
from orders.incidents.desk_incidents import SWEEP, watch_failed_tasks
from orders.models import Attempt, Dispatch, Incident
from orders.outbox.outcome import Outcome
from orders.outbox.retry_schedule import WAITS
from orders.sending.record import record_outcomes
from tests.factories import NOW, AttemptFactory, DispatchFactory, HeartbeatFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setitem(WAITS, "outcome", (0, 0, 0))
    # the connection stays open for the test's transaction
    monkeypatch.setattr(loop, "close_old_connections", lambda: None)
    monkeypatch.setattr(loop, "is_due", lambda now: True)


def under_way(answer: str = "") -> Outcome:
    """Returns the outcome of a call that was just accepted."""
    call = {"channel": "usage", "step": "fetch_usage", "position": 900, "state": "sending", "attempts": 1}
    row = DispatchFactory(**call, frozen_at=NOW, lease_token=uuid.uuid4())
    attempt = AttemptFactory(dispatch=row, outcome="", answer="")
    about = {"dispatch_id": row.pk, "attempt_id": attempt.pk, "token": row.lease_token, "channel": "usage"}
    return Outcome(**about, result="ok", answer=answer)


def test_an_answer_that_cannot_be_written_takes_no_other_with_it(monkeypatch):
    def picky(outcomes, **more):
        if any(outcome.answer == "poison" for outcome in outcomes):
            raise DataError("no such character")
        return record_outcomes(outcomes, **more)

    monkeypatch.setattr(loop, "record_outcomes", picky)
    good, bad, better = under_way(), under_way("poison"), under_way()
    record_safely([good, bad, better])
    states = [Dispatch.objects.get(pk=outcome.dispatch_id).state for outcome in (good, bad, better)]
    assert states == ["done", "retrying", "done"]
    assert Dispatch.objects.get(pk=bad.dispatch_id).error_code == "internal"


def test_what_cannot_be_recorded_is_told(monkeypatch, capsys, client, admin_user, sandbox, clock):
    """The database role has lost a right, so no answer can be recorded. Partners do their work, but no step ends and
    no step is late. So `status`, an incident and the pages report it."""
    no_right = Mock(side_effect=ProgrammingError("permission denied for table orders_dispatch\nCONTEXT: x"))
    HeartbeatFactory(seen_at=timezone.now())
    DispatchFactory(payload="{}", frozen_at=NOW, size=1)
    monkeypatch.setattr(loop, "Lease", lambda name: Mock(is_free=lambda: False))
    with monkeypatch.context() as broken:
        broken.setattr(loop, "record_outcomes", no_right)
        with pytest.raises(UnrecordedError) as raised:
            tasks.drain()
    times = {"started": timezone.now(), "stopped": timezone.now()}
    result = f"{raised.value} : Traceback (most recent call last):"  # the text that the queue stores
    Failure.objects.create(id="1", name="x", func="integrations.tasks.drain", result=result, success=False, **times)
    watch_failed_tasks(now=timezone.now())
    with pytest.raises(CommandError):
        call_command("status")
    said = "failed within 10 minutes: 1 answers can't be recorded: permission denied for table orders_dispatch"
    assert said in capsys.readouterr().out.splitlines()[0]
    client.force_login(admin_user)
    assert "我方的错误" in client.get(reverse("admin:index")).content.decode()
    clock.shift(601)
    watch_failed_tasks(now=timezone.now())
    assert Incident.objects.get(code="delivery_failed").state == "resolved"


@pytest.mark.parametrize("began, told", [(-1, False), (1, True)])
def test_a_task_that_met_a_migration_is_no_alarm(clock, began, told):
    """A failed task that began before a migration opens no incident, because its error comes from the old schema.
    Tasks that begin after the migration use the new schema, so their failures count."""
    at = timezone.now()
    MigrationRecorder.Migration.objects.create(app="orders", name="0099_next", applied=at)
    times = {"started": at + datetime.timedelta(seconds=began), "stopped": at + datetime.timedelta(seconds=5)}
    Failure.objects.create(id="1", name="x", func=SWEEP, result="no such table", success=False, **times)
    clock.shift(60)
    watch_failed_tasks(now=timezone.now())
    assert Incident.objects.filter(code="delivery_failed").exists() is told


def test_a_database_that_comes_back_is_waited_for(monkeypatch):
    calls = []

    def restarted(outcomes, **more):
        calls.append(outcomes)
        if len(calls) < 3:
            raise OperationalError("the server is starting up")
        return record_outcomes(outcomes, **more)

    monkeypatch.setattr(loop, "record_outcomes", restarted)
    outcome = under_way()
    record_safely([outcome])
    assert Dispatch.objects.get(pk=outcome.dispatch_id).state == "done"


def test_one_that_stays_away_ends_the_task(monkeypatch):
    monkeypatch.setattr(loop, "record_outcomes", Mock(side_effect=OperationalError("gone")))
    with pytest.raises(OperationalError):
        record_safely([under_way()])


def test_when_a_claim_fails_the_calls_before_it_are_written_down(monkeypatch):
    outcome, claims = under_way(), []
    facts = dict.fromkeys(["order", "step", "trace", "request_id", "key", "attempt"], "")
    work = type(
        "Work", (), facts | vars(outcome) | {"lease_until": NOW, "size": 1, "alone": False, "after_loss": False}
    )

    def claim(**more):
        claims.append(more)
        if len(claims) > 1:
            raise OperationalError("gone")
        return [work]

    monkeypatch.setattr(loop, "claim", claim)
    monkeypatch.setattr(loop, "send_step", lambda item: outcome)
    with pytest.raises(OperationalError):
        loop.drain(seconds=None, linger=False)
    assert Attempt.objects.get(pk=outcome.attempt_id).outcome == "ok"


def test_a_cluster_that_ends_claims_nothing_more(monkeypatch):
    monkeypatch.setattr(loop, "claim", lambda **more: pytest.fail("claimed"))
    monkeypatch.setattr(ending, "is_set", lambda: True)
    assert loop.drain(seconds=None, linger=False).again
