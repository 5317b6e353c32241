"""Changes of a trial, the activations that follow the changes, and activations that start on a later day (contract
3.2, 3.9)."""

import pytest
from django.core.management import call_command

from orders.activation import run_job
from orders.models import BillingRecord
from orders.replanning.giving_up import give_up
from tests.factories import ApiTokenFactory
from tests.flows.conftest import BILLING, BPM, USAGE
from tests.flows.contents import activation, change, trial, withdrawal
from tests.sampling import WHOLE

A, B, C = "a.example.com", "b.example.com", "c.example.com"
ORDERS = "/admin/orders/order/"
IDN, IN_ASCII = "www.bücher.cn", "www.xn--bcher-kva.cn"


def entries(desk) -> list[list[dict]]:
    return [body["productInfos"] for body in desk.sent(BILLING)]


def test_a_change_cancels_what_went_and_makes_what_came(desk):
    desk.play(trial("T1", A, B))
    desk.clock.shift(60)
    desk.play(change("C1", B, C))
    assert desk.state("C1") == "applied"
    assert desk.billed() == [("create", "T1", [A, B]), ("cancel", "T1", [A]), ("create", "T1", [C])]
    assert desk.records("T1") == {A: "cancelled", B: "live", C: "live"}
    cancelled, made = desk.held_there("T1")[A], desk.held_there("T1")[C]
    assert (cancelled["createTime"], cancelled["cancelTime"]) == ("20230920185436", "20230920185536")
    assert (made["createTime"], made["cancelTime"]) == ("20230920185536", "20330920185536")


def test_another_service_type_cancels_all_and_makes_all_under_the_new_product(desk):
    desk.play(trial("T1", A, B), change("C1", B, C, BusinessType="4"))
    sent = entries(desk)[1:]
    assert [[(row["domain"], row["productId"], row["cancelStatus"]) for row in rows] for rows in sent] == [
        [(A, "1", "2"), (B, "1", "2")],
        [(B, "4", "1"), (C, "4", "1")],
    ]
    assert {row["businessType"] for row in sent[1]} == {"4"}


def test_another_service_type_alone_keeps_the_domains(desk):
    desk.play(trial("T1", A, B), change("C1", BusinessType="4"))
    assert desk.billed()[1:] == [("cancel", "T1", [A, B]), ("create", "T1", [A, B])]


def trials_of(client, service: str) -> set[str]:
    """Returns the trials of a service type. The list of orders and the read API must return the same trials."""
    found = client.get(ORDERS, {"kind__exact": "trial", "service_type__code__exact": service}).context["cl"]
    assert found.result_count == len(found.result_list)
    token = {"Authorization": f"Bearer {ApiTokenFactory().begins}"}
    read = client.get("/api/orders/", {"kind": "trial", "service_type": service}, headers=token).json()["results"]
    assert {row["order"] for row in read} == {row.number for row in found.result_list}
    assert {row.service_now.pk for row in found.result_list} <= {service}
    return {row.number for row in found.result_list}


# T<n> has service type 1, and a change C<n> sets it to 4. Each row has the messages that follow, and the service type
# by which the trial is found afterwards.
LEFT_BY = [
    (lambda n: [], "4"),
    (lambda n: [change(f"D{n}", of=f"T{n}", BusinessType="1")], "1"),  # back to the trial's own service type
    (lambda n: [change(f"D{n}", of=f"T{n}", BusinessType="3")], "3"),
    (lambda n: [withdrawal(f"C{n}")], "1"),
    (lambda n: [change(f"D{n}", of=f"T{n}", BusinessType="3"), withdrawal(f"D{n}")], "4"),
    (lambda n: [change(f"D{n}", of=f"T{n}", BusinessType="3"), withdrawal(f"C{n}")], "3"),
    (lambda n: [withdrawal(f"T{n}")], "4"),
    (lambda n: [activation(f"A{n}", of=f"T{n}", BusinessType="3"), withdrawal(f"A{n}")], "4"),
][:: 1 if WHOLE else 8]


def test_a_trial_is_found_by_the_service_that_its_changes_leave_it(desk, admin_client):
    desk.play(trial("T9", B, BusinessType="4"))
    for n, (then, _service) in enumerate(LEFT_BY):
        desk.play(trial(f"T{n}", f"d{n}.example.com"), change(f"C{n}", of=f"T{n}", BusinessType="4"), *then(n))
    call_command("prune", older_than=90, by="lisi")
    found = {(number, code) for code in "134" for number in trials_of(admin_client, code)}
    assert found == {("T9", "4"), *((f"T{n}", service) for n, (_then, service) in enumerate(LEFT_BY))}


def test_a_trial_whose_change_was_given_up_is_found_by_its_own_service(desk, admin_client, trialing):
    desk.sandbox.fault(path=BILLING, kind="refusal", count=9)
    desk.play(change("C1", BusinessType="4"))
    assert (trials_of(admin_client, "1"), trials_of(admin_client, "4")) == (set(), {"T1"})
    for _step in ("cancel", "create"):
        desk.staff(give_up, "C1", step="")
    assert (trials_of(admin_client, "1"), trials_of(admin_client, "4")) == ({"T1"}, set())


@pytest.mark.parametrize(
    "content", [change("C1", DataFlow="5"), change("C1", BusinessType="1"), change("C1", A.upper())]
)
def test_a_change_that_touches_no_record_is_applied_at_once(desk, content, trialing):
    desk.post(content)
    assert desk.state("C1") == "applied"
    desk.deliver()
    assert desk.billed() == [("create", "T1", [A])]


def test_the_same_list_in_its_form_in_ascii_changes_nothing(desk):
    desk.play(trial("T1", IDN), change("C1", IN_ASCII))
    assert desk.state("C1") == "applied"
    desk.play(activation("A1", IN_ASCII))
    assert desk.billed() == [("create", "T1", [IDN]), ("cancel", "T1", [IDN]), ("create", "A1", [IN_ASCII])]
    assert (desk.state("A1"), desk.alive_there("T1")) == ("active", [])


def test_what_a_change_leaves_out_stays_as_the_change_before_left_it(desk):
    desk.play(trial("T1", A, BizEnd="20231031"))
    desk.play(change("C1", A, B, BusinessType="4"), change("C2", BizEnd="20231231"), change("C3", A, C))
    last = desk.order("C3")
    assert (last.service_type_id, last.biz_end.isoformat()) == ("4", "2023-12-31")
    made = desk.held_there("T1")[C]
    assert (made["productId"], made["cancelTime"]) == ("4", "20231231235959")


def test_a_domain_that_comes_back_is_the_same_record_made_at_the_same_time(desk):
    desk.play(trial("T1", A, B))
    desk.clock.shift(60)
    desk.play(change("C1", A))
    desk.clock.shift(60)
    desk.play(change("C2", A, B))
    assert BillingRecord.objects.filter(domain=B).count() == 1
    again = entries(desk)[-1]
    assert [(row["domain"], row["createTime"], row["cancelStatus"]) for row in again] == [(B, "20230920185436", "1")]
    assert desk.records("T1") == {A: "live", B: "live"}


def test_an_activation_takes_the_trial_as_two_changes_left_it(desk):
    """Contract 3.2: the trial is as its last change left it. The activation's BusinessType is used only in the
    activation's own records."""
    desk.play(trial("T1", A, B), change("C1", B, C), change("C2", BusinessType="4"))
    desk.play(activation("A1", BusinessType="3"))
    cancel, create = entries(desk)[-2:]
    assert {(row["domain"], row["productId"], row["businessType"]) for row in cancel} == {(B, "4", "4"), (C, "4", "4")}
    assert {(row["domain"], row["productId"], row["businessType"]) for row in create} == {
        (B, "P-A1", "3"),
        (C, "P-A1", "3"),
    }
    flow = desk.sent(BPM)[0]["data"]["tyywrwlcdx"]
    assert (flow["domains"], flow["cdn_type"]) == ([B, C], "vod")
    assert desk.sent(USAGE) == [
        {"productInfos": [{"enterpriseId": "100A23100079275183", "productId": "4", "jobId": "T1"}]}
    ]
    assert set(desk.records("T1").values()) == {"cancelled"}


def test_a_first_activation_may_name_other_domains_than_the_trial(desk):
    desk.play(trial("T1", A), activation("A1", C))
    assert desk.billed()[1:] == [("cancel", "T1", [A]), ("create", "A1", [C])]


@pytest.mark.parametrize("setting, billed_before", [("after_approval", False), ("at_once", True)])
def test_a_subsequent_activation_is_billed_after_approval_or_right_after_bpm(desk, settings, setting, billed_before):
    settings.SUBSEQUENT_BILLING = setting
    desk.play(trial("T1", A), activation("A1"), activation("A2", C))
    assert (desk.sent(BPM)[-1]["processType"], desk.state("A2")) == ("2", "awaiting_approval")
    assert (desk.alive_there("A2") == [C]) == billed_before
    desk.clock.shift(600)
    desk.decided("A2")
    assert desk.state("A2") == "active"
    made = "20230920185436" if billed_before else "20230920190436"
    assert (desk.held_there("A2")[C]["createTime"], desk.mails("A2", "mail_billed")) == (made, 1)


def test_a_subsequent_activation_that_starts_later_is_billed_from_its_day_and_live_on_it(desk):
    desk.play(trial("T1", A), activation("A1"), activation("A2", C, start="20230930"))
    assert desk.state("A2") == "awaiting_approval"
    desk.decided("A2")
    assert (desk.state("A2"), desk.held_there("A2")[C]["createTime"]) == ("scheduled", "20230930000000")
    assert desk.standing("A2")["schedule"]["name"] == "BBossOrderJob_A2_20230929160000"
    desk.at("2023-09-30 00:00:00")
    run_job("A2")
    assert desk.state("A2") == "active"


def test_a_trial_still_retrying_holds_up_its_line_in_order_of_acceptance(desk):
    """Contract 3.9 (2), One line per trial: the billing steps on a trial's records run one at a time across orders, in
    order of acceptance. A trial's step that is retried delays the steps behind it."""
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A), change("C1", A, B), activation("A1"))
    assert (desk.state("T1"), desk.state("C1"), desk.state("A1")) == ("in_progress", "in_progress", "in_progress")
    assert desk.sandbox.calls(path=BPM) == []
    assert len(entries(desk)) == 1
    desk.wait_out()
    assert (desk.state("T1"), desk.state("C1"), desk.state("A1")) == ("converted", "applied", "active")
    assert desk.billed()[1:] == [
        ("create", "T1", [A]),
        ("create", "T1", [B]),
        ("cancel", "T1", [A, B]),
        ("create", "A1", [A, B]),
    ]


def test_neither_another_trials_line_nor_commercial_records_are_held_up(desk):
    """A retried step delays only steps on the same trial's records. Steps of another trial go on. The commercial
    records of an activation that starts later are created at once."""
    desk.sandbox.fault(path=BILLING, kind="503")
    desk.play(trial("T1", A), activation("A1", start="20230930"), trial("T2", A), activation("A2", of="T2"))
    assert (desk.state("T1"), desk.state("A2")) == ("in_progress", "active")
    assert (desk.alive_there("A1"), desk.state("A1")) == ([A], "scheduled")


def test_a_failed_step_of_the_trial_keeps_its_line_until_it_is_resent(desk):
    desk.sandbox.fault(path=BILLING, kind="refusal")
    desk.play(trial("T1", A), activation("A1"))
    assert (desk.state("T1"), desk.state("A1")) == ("failed", "in_progress")
    assert desk.step("A1", "cancel_trial_billing").state == "waiting"


def test_a_later_start_first_attempted_after_its_day_keeps_the_day(desk, trialing):
    """Contract 3.9 (3): the start stays BizStart 00:00:00, and the cancel of the trial's records is due right after
    BPM."""
    desk.post(activation("A1", start="20230921"))
    desk.at("2023-09-22 08:00:00")  # nothing was delivered since the order came in, a day and a half ago
    desk.deliver()
    assert (desk.state("A1"), desk.billed()[1:]) == ("active", [("create", "A1", [A]), ("cancel", "T1", [A])])
    made = desk.held_there("A1")[A]
    assert (made["createTime"], made["cancelTime"]) == ("20230921000000", "20330922080000")
    assert desk.sent(BPM)[0]["data"]["tyywrwlcdx"]["businessStartTime"] == "2023-09-21 00:00:00"
    assert desk.held_there("T1")[A]["cancelTime"] == "20230922080000"
    calls = [call["path"] for call in desk.sandbox.calls()]
    assert calls.index(BPM) < len(calls) - 1 - calls[::-1].index(BILLING)


def test_a_hold_that_ends_after_the_day_plans_a_start_now(desk):
    """Contract 3.9 (3): the plan decides whether an activation starts now or later. This activation had no plan while
    its trial was unknown, and its start day is past when the plan is made."""
    desk.play(activation("A1", start="20230921"))
    desk.at("2023-09-22 08:00:00")
    desk.play(trial("T1", A))
    assert desk.state("A1") == "active"
    assert desk.order("A1").start_at is None
    assert desk.held_there("A1")[A]["createTime"] == "20230922080000"


@pytest.mark.parametrize("day", ["20230920", "20230919", "20220101"])
def test_a_start_today_or_before_is_now(desk, day):
    desk.play(trial("T1", A), activation("A1", start=day))
    assert desk.held_there("A1")[A]["createTime"] == "20230920185436"
    assert desk.standing("A1")["schedule"] is None


def test_a_change_withdrawn_before_its_trial_was_billed_leaves_the_trial_as_it_was(desk):
    """Contract 3.10: the change is withdrawn while the activation behind it has sent nothing. So the activation is
    planned anew, without the change's domains."""
    for content in (trial("T1", A), change("C1", B), activation("A1"), withdrawal("C1")):
        desk.post(content)
    assert desk.state("T1") == "in_progress"
    desk.deliver()
    assert (desk.state("T1"), desk.state("A1"), desk.state("C1")) == ("converted", "active", "withdrawn")
    assert (desk.alive_there("A1"), desk.troubles("A1"), desk.troubles("C1")) == ([A], [], [])
    desk.play(withdrawal("A1"))
    assert (desk.state("T1"), desk.alive_there("T1")) == ("trialing", [A])
    desk.play(activation("A2"))
    assert (desk.state("A2"), desk.alive_there("A2")) == ("active", [A])
