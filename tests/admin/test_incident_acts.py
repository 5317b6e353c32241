"""On an incident's page staff take it up, note, ignore and resolve; the border of attributions holds."""

import pytest
from django.urls import reverse

from orders.models import Incident, OrderEvent
from tests import factories as make

pytestmark = pytest.mark.django_db
State = Incident.State


@pytest.fixture
def incident():
    """It stops an order of Beijing and one of Shanghai."""
    row = make.IncidentFactory()
    for letters in ("BJ", "SH"):
        make.AffectedOrderFactory(incident=row, order=make.OrderFactory(attribution_id=letters))
    return row


def act(client, incident, key, note=""):
    return client.post(reverse("admin:orders_incident_act", args=[incident.pk, key]), {"note": note})


def keys(client, incident):
    answer = client.get(reverse("admin:orders_incident_change", args=[incident.pk]))
    return [act.key for act in answer.context["acts"]]


@pytest.mark.parametrize("key, state", [
    ("acknowledge", State.ACKNOWLEDGED), ("note", State.OPEN), ("resolve", State.RESOLVED), ("ignore", State.IGNORED),
])  # fmt: skip
def test_an_act_is_done_noted_and_told(member, incident, key, state):
    staff = member("工程师")
    assert act(staff, incident, key, "在联系 BPM").status_code == 302
    incident.refresh_from_db()
    assert incident.state == state
    assert "在联系 BPM" in incident.note
    assert incident.owner == (staff.person if key == "acknowledge" else None)
    assert OrderEvent.objects.filter(actor=f"staff:{staff.person.username}").exists()


def test_what_is_over_can_only_be_noted(member):
    over = make.IncidentFactory(state=State.RESOLVED)
    staff = member("业务人员")
    assert keys(staff, over) == ["note"]
    assert act(staff, over, "resolve").status_code == 403


def test_an_empty_note_is_refused_in_words(member, incident):
    answer = member("工程师").post(reverse("admin:orders_incident_act", args=[incident.pk, "note"]), {}, follow=True)
    assert 'class="error"' in answer.content.decode()


@pytest.mark.parametrize("key", ["acknowledge", "note", "resolve", "ignore"])
def test_an_auditor_may_not(member, incident, key):
    staff = member("审计员")
    assert keys(staff, incident) == []
    assert act(staff, incident, key, "x").status_code == 403
    incident.refresh_from_db()
    assert (incident.state, incident.note) == (State.OPEN, "")


def test_a_limited_person_ends_nothing_for_others(member, incident):
    staff = member("业务人员", letters=["BJ"])
    assert keys(staff, incident) == ["acknowledge", "note"]
    assert act(staff, incident, "resolve").status_code == 403
    assert keys(member("业务人员", letters=["BJ", "SH"]), incident) == ["acknowledge", "note", "resolve", "ignore"]


def test_an_incident_of_others_can_t_be_acted_upon(member, incident):
    assert act(member("业务人员", letters=["GD"]), incident, "note", "x").status_code == 403


def test_acts_are_posted(member, incident):
    assert member("工程师").get(reverse("admin:orders_incident_act", args=[incident.pk, "resolve"])).status_code == 405
