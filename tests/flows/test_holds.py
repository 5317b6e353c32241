"""Orders that are held: nothing is lost, and the orders go on by themselves or when staff decide (contract 2.4,
3.10)."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.intake import receive
from orders.intake.replan_held_orders import choose_attribution
from orders.models import Incident, Order, TrialClaim
from orders.texts.errors import NotAllowedError
from tests import factories
from tests.flows.conftest import BPM
from tests.flows.contents import activation, change, trial, withdrawal

UNKNOWN = {"EnterpriseID": "000A23100079275183"}


def assert_held(desk, number: str, because: str, *, mails: int = 1):
    order = desk.order(number)
    assert (order.state, order.held_because) == ("held", because)
    assert (desk.troubles(number), desk.mails(number, "mail_held")) == ([because], mails)
    assert desk.steps(number) == []


def choose(number: str, letters: str = "BJ"):
    return choose_attribution(number=number, letters=letters, reason="known", by="staff:x", now=timezone.now())


def assert_no_trouble_left(desk, *numbers: str):
    for number in numbers:
        assert desk.troubles(number) == []
    assert not Incident.objects.filter(state="open").exists()


def test_an_activation_before_its_trial_waits_and_goes_on(desk):
    desk.play(activation())
    assert_held(desk, "A1", "trial_unknown")
    assert desk.sandbox.calls() == []
    desk.play(trial())
    assert desk.state("A1") == "active"
    assert desk.order("A1").first is True
    assert desk.state("T1") == "converted"
    assert [row[:2] for row in desk.billed()] == [("create", "T1"), ("cancel", "T1"), ("create", "A1")]
    assert_no_trouble_left(desk, "A1", "T1")
    assert desk.mails("A1", "mail_held") == 1
    assert [event["because"] for event in desk.events("A1", "held")] == ["trial_unknown"]
    assert [event["was"] for event in desk.events("A1", "went_on")] == ["trial_unknown"]
    states = [(event["old"], event["new"]) for event in desk.events("A1", "state")]
    assert states == [("held", "in_progress"), ("in_progress", "active")]


def test_those_who_came_before_the_trial_go_on_in_order_of_arrival(desk):
    """Contract 3.9 (1), First claim: activations that came before their trial take the claim when the trial arrives,
    in order of arrival."""
    desk.play(change("C1", "a.example.com", "b.example.com"))
    desk.play(activation("A1", "x.example.com"), activation("A2", "y.example.com"), change("C2", "z.example.com"))
    desk.play(trial())
    assert (desk.state("C1"), desk.order("A1").first, desk.order("A2").first) == ("applied", True, False)
    assert desk.order("C2").held_because == "claim_held"
    billed = [(verb, job, sorted(names)) for verb, job, names in desk.billed()]
    assert [row for row in billed if row[1] == "T1"] == [
        ("create", "T1", ["a.example.com"]),
        ("create", "T1", ["b.example.com"]),
        ("cancel", "T1", ["a.example.com", "b.example.com"]),
    ]
    assert desk.state("A2") == "awaiting_approval"


def test_both_in_the_same_moment_are_brought_together_by_the_sweep(desk, monkeypatch):
    """The trial and the activation are received at the same moment: neither transaction sees the other order. The
    sweep connects the two orders."""
    desk.post(activation())
    with monkeypatch.context() as patch:
        patch.setattr(receive, "settle_followers", lambda *args, **kwargs: None)
        desk.post(trial())
    desk.deliver()
    assert desk.order("A1").held_because == "trial_unknown"
    desk.sweep()
    assert desk.state("A1") == "active"


def test_a_trial_whose_attribution_is_unknown_waits_and_its_followers_with_it(desk):
    desk.play(activation("A1"), change("C0", "c.example.com"))
    desk.play(trial("T1", **UNKNOWN), activation("A2", "x.example.com"), change("C1", "b.example.com"))
    assert_held(desk, "T1", "attribution_unknown")
    assert_held(desk, "A1", "trial_held", mails=2)  # two mails, because A1 was held before for its unknown trial
    assert_held(desk, "A2", "trial_held")
    assert_held(desk, "C1", "claim_held")
    assert TrialClaim.objects.get().activation.number == "A1"
    assert desk.sandbox.calls() == []


def test_staff_choose_the_attribution_and_all_go_on(desk):
    """Contract 3.9 (3): the customer and attribution that a held order shows are not kept. The plan reads them from
    the trial."""
    desk.play(trial("T1", **UNKNOWN), change("C1", "a.example.com", "b.example.com"), activation("A1"))
    Order.objects.filter(number="A1").update(attribution="SH", enterprise_id="other", enterprise_name="other")
    choose("T1", "GD")
    desk.deliver()
    order = desk.order("A1")
    assert (desk.state("T1"), desk.state("C1"), order.state) == ("converted", "applied", "active")
    assert (order.attribution_id, order.enterprise_id) == ("GD", UNKNOWN["EnterpriseID"])
    assert desk.held_there("A1")["b.example.com"]["province"] == "200"
    assert desk.sent(BPM)[0]["data"]["tyywrwlcdx"]["province"] == "GD"
    assert desk.events("T1", "attribution_chosen") == [{"letters": "GD", "reason": "known"}]
    assert_no_trouble_left(desk, "T1", "C1", "A1")


def shown_to(letters: str) -> set[str]:
    """Returns the orders in the list of a person who is limited to this attribution."""
    user = factories.UserFactory(letters=[letters])
    user.groups.set(Group.objects.filter(name="业务人员"))
    staff = Client()
    staff.force_login(user)
    rows = staff.get(reverse("admin:orders_order_changelist")).context["cl"].result_list
    for row in rows:
        assert staff.get(reverse("admin:orders_order_change", args=[row.pk])).status_code == 200
    return {row.number for row in rows}


@pytest.mark.whole
def test_an_order_that_is_held_before_its_plan_is_seen_with_its_trial(desk):
    """A person who may see a trial also sees the orders that wait for it, with the trial's customer. Nobody else sees
    those orders."""
    desk.play(trial("T1", Attribution="GD"), withdrawal("T1"), activation("A1", of="T1"), change("C1", "b.example.com"))
    desk.play(activation("A2", of="T2"), change("C2", "b.example.com", of="T2"))
    assert shown_to("GD") == {"T1", "A1", "C1"}
    assert shown_to("BJ") == set()  # A2 and C2 have no attribution yet, because their trial is unknown
    desk.play(trial("T2", **UNKNOWN))
    assert shown_to("GD") == {"T1", "A1", "C1"}
    assert [desk.order(number).enterprise_id for number in ("A2", "C2")] == [UNKNOWN["EnterpriseID"]] * 2
    assert {desk.order(number).held_because for number in ("A2", "C2")} == {"trial_held", "claim_held"}
    choose("T2", "GD")
    desk.deliver()
    assert shown_to("GD") == {"T1", "A1", "C1", "T2", "A2", "C2"}
    assert desk.order("C2").held_because == "claim_held"


def test_an_explicit_attribution_decides(desk):
    desk.play(trial("T1", **UNKNOWN, Attribution="JT"), activation())
    assert desk.held_there("A1")["a.example.com"]["province"] == "998"


@pytest.mark.parametrize("number, letters", [("T1", "XX"), ("T2", "BJ")])
def test_an_attribution_is_chosen_only_from_the_list_and_only_where_it_is_asked_for(desk, number, letters):
    desk.play(trial("T1", **UNKNOWN), trial("T2"))
    with pytest.raises(NotAllowedError):
        choose(number, letters)
    assert desk.order("T1").held_because == "attribution_unknown"


def test_a_subsequent_activation_without_domains_is_refused_where_that_is_known(desk, active):
    """Contract 2.4: the answer is 20505 if the desk knows at receipt that the activation is subsequent."""
    assert desk.refused(activation("A2"))[0] == "20505"
    desk.play(trial("T2", **UNKNOWN), activation("B1", of="T2"))
    assert desk.refused(activation("B2", of="T2"))[0] == "20505"  # B1 has the claim, although its trial is held


def test_a_subsequent_activation_without_domains_that_waited_is_held(desk):
    desk.play(activation("A1"), activation("A2"), trial())
    assert_held(desk, "A2", "domains_missing", mails=2)
    assert desk.order("A2").first is False
    assert desk.state("A1") == "active"


def test_a_repeat_of_a_first_activation_without_domains_is_answered_as_before(desk, trialing):
    """Contract 2.3: the same order again is answered 00000 with the first transIDH, although a new order with this
    content would be refused by now."""
    first = desk.post(activation())["transIDH"]
    desk.deliver()
    assert desk.post(activation())["transIDH"] == first
    desk.play(withdrawal("A1"))
    assert desk.post(activation())["transIDH"] == first
    assert desk.state("A1") == "withdrawn"


@pytest.mark.parametrize("close", ["withdrawn", "ended", "ended, not swept yet"])
@pytest.mark.parametrize("follower", ["activation", "change"])
def test_who_names_a_closed_trial_is_held_for_staff(desk, close, follower):
    desk.play(trial(BizEnd="20230925"))
    if close == "withdrawn":
        desk.play(withdrawal("T1"))
    else:
        desk.at("2023-09-26 00:00:00")
    if close == "ended":
        desk.sweep()
        assert desk.state("T1") == "ended"
    before = len(desk.billed())
    desk.play(activation("F", start="20230926") if follower == "activation" else change("F", "b.example.com"))
    assert_held(desk, "F", "trial_closed")
    desk.sweep()
    assert_held(desk, "F", "trial_closed")
    assert len(desk.billed()) == before
    assert not TrialClaim.objects.exists()


def test_a_trial_runs_through_its_last_day_and_ends_behind_it_though_it_is_claimed(desk):
    """Contract 3.9 (19): a trial ends after its last day, also if an activation that starts later has claimed it. That
    activation goes on."""
    desk.play(trial("T1", BizEnd="20230925"), trial("T2", BizEnd="20230925"), activation(of="T2", start="20230930"))
    desk.sweep("2023-09-25 23:59:59")
    assert desk.state("T1") == "trialing"
    desk.sweep("2023-09-26 00:00:00")
    assert (desk.state("T1"), desk.state("T2"), desk.state("A1")) == ("ended", "ended", "scheduled")
    desk.sweep("2023-09-30 00:00:00")
    assert (desk.state("T1"), desk.state("T2"), desk.state("A1")) == ("ended", "converted", "active")
    assert (desk.alive_there("T2"), desk.alive_there("A1")) == ([], ["a.example.com"])


@pytest.mark.parametrize("end, state", [("20230930", "trialing"), ("20230921", "ended")])
def test_a_trial_ends_on_the_day_that_its_last_change_says(desk, end, state):
    desk.play(trial(BizEnd="20230925"), change("C1", BizEnd=end))
    desk.sweep("2023-09-27 00:00:00")
    assert desk.state("T1") == state


def test_a_change_is_held_while_an_activation_holds_the_claim(desk):
    """A change is held while an activation holds the claim, and goes on once the activation is withdrawn (contract 3.9
    (2) One line per trial; 3.10)."""
    desk.play(trial(), activation("A1", start="20230930"), change("C1", "b.example.com"))
    assert_held(desk, "C1", "claim_held")
    assert desk.alive_there("T1") == ["a.example.com"]
    desk.play(withdrawal("A1"))
    assert (desk.state("C1"), desk.alive_there("T1")) == ("applied", ["b.example.com"])
    assert_no_trouble_left(desk, "C1")
    assert desk.mails("C1", "mail_held") == 1


def test_an_activation_that_arrives_while_the_trial_is_being_compensated_waits_and_is_first(desk, active):
    """Contract 3.9 (2): an activation that arrives while the trial is being compensated is planned after the
    compensation. Contract 3.10: it is the first activation, because no order is subsequent to an activation that is
    undone."""
    desk.post(withdrawal("A1"))
    desk.post(activation("A2"))
    assert_held(desk, "A2", "trial_busy")
    desk.play(activation("A3", "x.example.com"))
    assert (desk.state("A1"), desk.state("A2"), desk.order("A2").first) == ("withdrawn", "active", True)
    assert (desk.state("A3"), desk.order("A3").first) == ("awaiting_approval", False)
    assert [row[:2] for row in desk.billed()][-4:] == [
        ("delete", "A1"),
        ("create", "T1"),
        ("cancel", "T1"),
        ("create", "A2"),
    ]
    assert_no_trouble_left(desk, "A2", "A3")


def test_an_incident_of_a_hold_stays_open_while_it_stops_another_order(desk):
    desk.play(activation("A1", of="T1"), activation("A2", of="T2"))
    assert Incident.objects.filter(code="trial_unknown", state="open").count() == 1
    desk.play(trial("T1"))
    assert Incident.objects.filter(code="trial_unknown", state="open").count() == 1
    assert desk.troubles("A2") == ["trial_unknown"]
    desk.play(trial("T2"))
    assert not Incident.objects.filter(state="open").exists()
