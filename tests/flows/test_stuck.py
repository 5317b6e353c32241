"""`stuck` lists every order that needs a person, with the reasons (contract section 5)."""

import datetime
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.incidents.incident_handling import ignore_incident, resolve_incident
from orders.incidents.stuck import needs_somebody, stuck
from orders.models import AffectedOrder, Difference, Incident, Order
from project.observability.desk_snapshot import DeskSnapshot
from tests import factories
from tests.flows import contents
from tests.flows.conftest import BILLING, DELETE, code_of
from tests.flows.test_breaker import fail_until_open, quick_breaker  # noqa: F401  a fixture
from tests.flows.test_mail import smtp  # noqa: F401  a fixture

KEYS = ["order", "customer", "state", "why", "since", "owner"]


def rows(capsys) -> list[dict]:
    """Returns the output of `stuck --json`, and checks that the exit code agrees with it."""
    code, found = code_of("stuck", "--json"), json.loads(capsys.readouterr().out)
    assert code == bool(found)
    return found


def numbers() -> list[str]:
    """Returns the orders that `stuck` lists, and checks that the query and the desk's figures have the same orders."""
    found = [row.number for row in stuck() if row.state != "unknown"]
    assert sorted(found) == sorted(needs_somebody().values_list("number", flat=True))
    assert DeskSnapshot(timezone.now()).stuck == len(stuck())
    return found


def test_all_is_well(desk, capsys):
    desk.play(contents.trial(), contents.activation("A1"), contents.activation("A2", "x.example.com", start="20230930"))
    desk.play(contents.trial("T2", "t2.example.com"), contents.withdrawal("T2"))
    assert rows(capsys) == []
    call_command("stuck")
    assert capsys.readouterr().out == "0 orders need somebody\n"


def test_a_failed_order_and_who_waits_behind_it(desk, capsys):
    desk.sandbox.fault(path=BILLING, kind="refusal", message="域名未备案")
    desk.play(contents.trial())
    desk.clock.shift(60)
    desk.play(contents.activation("A1"))
    first, second = rows(capsys)
    assert list(first) == KEYS
    assert first == {
        "order": "T1",
        "customer": "北京示例科技",
        "state": "failed",
        "why": "下发试用话单 (create_trial_billing) 对方认为订单内容有误。 (code_400)",
        "since": "2023-09-20T18:54:36+08:00",
        "owner": "",
    }
    assert (second["order"], second["state"]) == ("A1", "in_progress")
    assert second["why"] == "排在 T1 的失败步骤之后：下发试用话单 (create_trial_billing)"
    assert second["since"] == "2023-09-20T18:55:36+08:00"
    assert numbers() == ["T1", "A1"]
    ignore_incident(incident_id=Incident.objects.get().pk, reason="x", by="staff:li", now=timezone.now())
    failed, _behind = stuck()  # the failed step is listed although its incident is ignored
    assert [(reason.kind, reason.code) for reason in failed.reasons] == [("step", "code_400")]
    assert failed.since == timezone.now() - datetime.timedelta(seconds=60)


def test_its_own_failure_is_no_other_orders(desk):
    """A1 is listed for its own failed step. The steps of A1 that wait behind this step are not listed as if another
    order had failed."""
    desk.play(contents.trial(), contents.activation("A1"))
    desk.sandbox.fault(path=DELETE, kind="refusal")
    desk.play(contents.withdrawal("A1"))
    [row] = stuck()
    assert (row.number, row.state) == ("A1", "compensating")
    assert [(reason.kind, reason.step) for reason in row.reasons] == [("step", "delete_billing")]


def test_held_ones_too_where_they_go_on_by_themselves(desk, capsys):
    desk.play(contents.activation("A1"))
    desk.play(contents.trial("T2", "t2.example.com"), contents.activation("A2", of="T2"))
    desk.play(contents.change("C2", "n.example.com", of="T2"))
    assert [(row["order"], row["why"]) for row in rows(capsys)] == [
        ("A1", "试用单尚未到达 (trial_unknown)"),
        ("C2", "试用单已被开通单占用 (claim_held)"),
    ]
    assert numbers() == ["A1", "C2"]
    desk.play(contents.trial())
    assert numbers() == ["C2"]


def test_one_held_for_its_files_names_the_finding(desk, capsys):
    desk.play(contents.trial(), contents.activation(InfoSecurity="A1_50004020027_20230920185436.xlsx"))
    [row] = rows(capsys)
    assert row["why"] == "信安文件不符合要求 (files); 检查信安文件 (check_files) 缺少信安文件。 (missing)"


def test_a_mail_that_was_given_up_counts_though_its_incident_is_ignored(desk, smtp, capsys):  # noqa: F811
    """The order went on without its mail. So only the failed mail shows that somebody was not told, and it is listed
    although its incident is ignored."""
    smtp.answers = ["554 no"]
    desk.play(contents.trial(), contents.activation("A1"))
    assert (desk.state("A1"), desk.step("A1", "mail_sent_to_bpm").state) == ("active", "failed")
    ignore_incident(incident_id=Incident.objects.get().pk, reason="x", by="staff:li", now=timezone.now())
    [row] = rows(capsys)
    assert (row["order"], row["state"]) == ("A1", "active")
    assert "(mail_sent_to_bpm)" in row["why"]
    assert numbers() == ["A1"]
    desk.command("resend", "A1", channel="mail")
    assert numbers() == []


def test_a_mail_of_which_staff_resolved_the_incident_needs_nobody_until_it_fails_again(desk, smtp):  # noqa: F811
    """Staff resolved a mail's incident, because its recipient was told in another way or has no mailbox. A rejected
    order can't go on, so it can't end the incident by itself."""
    desk.play(contents.trial(), contents.activation("A1"))
    smtp.answers = ["554 no"] * 2
    desk.decided("A1", "reject")
    assert (desk.state("A1"), desk.step("A1", "mail_rejected").state) == ("rejected", "failed")
    assert numbers() == ["A1"]
    incident = Incident.objects.unresolved().get(partner="mail")
    resolve_incident(incident_id=incident.pk, reason="已电话告知", by="staff:li", now=timezone.now())
    row = AffectedOrder.objects.get(incident=incident)
    assert (row.accepted_by, row.reason, numbers()) == ("staff:li", "已电话告知", [])
    desk.command("resend", failed=True, channel="mail")
    assert numbers() == ["A1"]
    desk.command("resend", failed=True, channel="mail")
    assert numbers() == []


def test_what_was_undone_to_its_end_needs_nobody(desk, settings):
    """The forward step stays failed, because it is unknown whether it acted. But the order is withdrawn, so it needs
    nobody."""
    settings.DISPATCH_RETRY_SECONDS = []
    desk.play(contents.trial())
    desk.sandbox.fault(path="/bpm/flows/start", kind="503")
    desk.play(contents.activation("A1"))
    assert numbers() == ["A1"]
    desk.play(contents.withdrawal("A1"))
    assert desk.step("A1", "start_bpm").state == "failed"
    assert numbers() == []


def test_a_partner_that_is_down_is_not_the_orders(desk, quick_breaker):  # noqa: F811
    fail_until_open(desk)
    assert AffectedOrder.objects.filter(closed_at=None, incident__code="breaker_open").exists()
    assert numbers() == []


def test_an_incident_counts_until_it_is_over_ignored_or_accepted(db):
    order = factories.OrderFactory(state="active")
    row = factories.AffectedOrderFactory(order=order, incident__code="second", incident__step="approval")
    assert numbers() == [order.number]
    Incident.objects.update(state="acknowledged")
    assert numbers() == [order.number]
    row.accepted_by = "staff:li"
    row.save()
    assert numbers() == []
    row.accepted_by = ""
    row.save()
    ignore_incident(incident_id=row.incident_id, reason="x", by="staff:li", now=timezone.now())
    assert numbers() == []


def test_a_late_undoing_and_a_difference(db, capsys):
    at = factories.NOW
    late = factories.OrderFactory(state="active", undo_asked_at=at)
    open_ones = factories.DifferenceFactory(reconciliation__started_at=at + datetime.timedelta(days=1))
    factories.DifferenceFactory(state=Difference.State.ACCEPTED)
    factories.DifferenceFactory(state=Difference.State.OVER)
    assert numbers() == [late.number, open_ones.order.number]
    told = rows(capsys)
    assert [row["why"].rpartition(" ")[2] for row in told] == ["(late_undo)", "(not_billed)"]


def test_a_number_that_we_do_not_know_is_listed(db, capsys):
    for domain in ("a", "b"):
        factories.DifferenceFactory(
            order=None, job_id="X9", kind=Difference.Kind.UNKNOWN_ORDER, domain=f"{domain}.example.com"
        )
    [row] = rows(capsys)
    assert (row["order"], row["state"], row["customer"]) == ("X9", "unknown", "")
    assert row["why"] == "本台没有的订单号 (unknown_order)"
    assert numbers() == []


def test_since_a_day(db, capsys):
    old = factories.OrderFactory(state="held", held_because="trial_unknown")
    day = datetime.timedelta(days=1)
    new = factories.OrderFactory(state="held", held_because="trial_unknown", received_at=factories.NOW + day)
    with pytest.raises(CommandError, match="2 stuck"):
        call_command("stuck")
    with pytest.raises(CommandError, match="1 stuck"):
        call_command("stuck", "--since", "2023-09-21")
    assert new.number in capsys.readouterr().out.splitlines()[-2]
    assert [row.number for row in stuck()] == [old.number, new.number]


def test_the_oldest_comes_first_and_many_reasons_are_cut(db, capsys):
    order = factories.OrderFactory(state="held", held_because="trial_busy")
    for _ in range(5):
        factories.AffectedOrderFactory(order=order)
    [row] = rows(capsys)
    assert row["why"].startswith("试用单的开通单正在撤回话单 (trial_busy); ")
    assert row["why"].endswith("; +3")


def make(number: int) -> None:
    """Creates four things that `stuck` lists: an order with a failed step and an incident, an order whose step waits
    behind that step, an order with a difference, and a difference with an unknown number."""
    order = factories.OrderFactory(state="failed", planned_at=factories.NOW)
    lane = {"lane": order.pk, "order": order, "next_try_at": None}
    factories.DispatchFactory(**lane, state="failed", attempts=1, frozen_at=factories.NOW, error_code="timeout")
    factories.DispatchFactory(**lane | {"order": factories.OrderFactory()}, state="waiting")
    factories.AffectedOrderFactory(order=order)
    factories.DifferenceFactory()
    factories.DifferenceFactory(order=None, job_id=f"X{number}")


def asked() -> int:
    with CaptureQueriesContext(connection) as captured:
        stuck()
    return len(captured)


def test_the_number_of_queries_does_not_grow(db):
    make(0)
    few = asked()
    for number in range(1, 30):
        make(number)
    assert asked() == few <= 9
    assert len(stuck()) == 4 * 30
    assert Order.objects.count() == needs_somebody().count() == 3 * 30
