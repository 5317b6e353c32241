"""Whoever acted in an emergency, or logged in with an emergency account, neither takes over nor ends the incident
about it (contract 3.11). This holds on the page, in bulk and by command.
"""

import datetime

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.history.actors import staff_actor
from orders.incidents.incident_handling import TOLD_BY, ignore_incident, resolve_incident
from orders.incidents.sleeping import put_to_sleep
from orders.models import Incident
from orders.people.asked_acts import carried_out_in_emergency
from orders.people.ownership import hand_over_all, set_owner, why_not_owner
from orders.texts.errors import NotAllowedError
from project.accounts.emergency_accounts import notify_of_login
from tests import factories as make
from tests.admin.test_incident_acts import act, keys

pytestmark = pytest.mark.django_db
TOMORROW = timezone.now() + datetime.timedelta(days=1)
ACTS = ["resolve", "ignore", "sleep", "take", "give", "back"]


@pytest.fixture
def member():
    """Somebody in a role, with a client of their own."""

    def sign_in(role):
        client = Client()
        client.person = make.UserFactory()
        client.person.groups.set(Group.objects.filter(name=role))
        client.force_login(client.person)
        return client

    return sign_in


def happened(code: str, by) -> Incident:
    """Returns the incident that opens after this person acted alone."""
    now = timezone.now()
    if code == "emergency_login":
        notify_of_login(by, now=now)
    else:
        about = {"act": "waive", "right": "orders.waive_finding", "order": make.OrderFactory(), "subject": "100A1"}
        carried_out_in_emergency(**about, by=f"command:{by.username}", reason="x", now=now)
    return Incident.objects.unresolved().get(code=code)


def does(client, incident, key):
    """Tries an act on the incident at the act's address, even if the page offers no button for it."""
    page = reverse("admin:orders_incident_change", args=[incident.pk])
    owner = incident.owner_id or 0
    given = {"note": "看过了", "until": f"{timezone.localtime(TOMORROW):%Y-%m-%dT%H:%M}"}
    if key in ("take", "give", "back"):
        to = {"to": client.other.pk} if key == "give" else {}
        url = reverse("admin:orders_incident_own", args=[incident.pk])
        return client.post(url, {"act": key, "seen": owner, "reason": "x", **to})
    return client.post(page.replace("change/", f"do/{key}/"), given)


@pytest.mark.parametrize("key", ACTS)
@pytest.mark.parametrize("code", TOLD_BY)
@pytest.mark.parametrize("role", ["工程师", "业务人员"])
@pytest.mark.parametrize("who", ["self", "colleague"])
def test_the_table_of_who_may(member, role, code, key, who):
    doer, colleague = member(role), member(role)
    incident = happened(code, doer.person)
    if key == "back":
        Incident.objects.update(owner=colleague.person, state="acknowledged")
        incident.refresh_from_db()
    before = Incident.objects.values().get()
    client = doer if who == "self" else colleague
    client.other = member(role).person
    does(client, incident, key)
    assert (Incident.objects.values().get() == before) is (who == "self")


@pytest.mark.parametrize("code", TOLD_BY)
def test_the_page_offers_a_note_alone_and_says_why(member, code):
    doer, colleague = member("工程师"), member("工程师")
    incident = happened(code, doer.person)
    assert keys(doer, incident) == ["note"]
    page = doer.get(reverse("admin:orders_incident_change", args=[incident.pk]))
    assert "须由其他同事处理" in page.text
    assert page.context["owning"] == {}
    asked = doer.get(reverse("admin:orders_incident_act", args=[incident.pk, "ignore"]))
    assert "须由其他同事处理" in asked.text
    assert keys(colleague, incident) == ["note", "resolve", "ignore", "sleep"]
    assert act(doer, incident, "note", "事后说明").status_code == 302
    assert incident.notes.count() == 1


@pytest.mark.parametrize("code", TOLD_BY)
def test_nobody_hands_it_to_who_acted(member, code):
    doer, colleague = member("工程师").person, member("工程师").person
    incident = happened(code, doer)
    assert why_not_owner(incident, doer).code == "incident_own_emergency"
    assert why_not_owner(incident, colleague) is None
    set_owner(kind="incident", pk=incident.pk, to=colleague, by=staff_actor(colleague), now=timezone.now())
    hand_over_all(user=colleague, to=doer, by=staff_actor(colleague), now=timezone.now())
    incident.refresh_from_db()
    assert incident.owner_id is None


def test_each_of_several_who_acted_is_refused_and_nobody_else(member):
    one, two, other = (member("工程师").person for _ in range(3))
    for person in (one, two):
        incident = happened("emergency_act", person)
    about = {"incident_id": incident.pk, "reason": "x", "now": timezone.now()}
    for person in (one, two):
        for by in (staff_actor(person), f"command:{person.username}"):
            for service in (ignore_incident, resolve_incident):
                assert refused(service, by=by, **about)
            assert refused(put_to_sleep, by=by, until=TOMORROW, **about)
    assert ignore_incident(by=staff_actor(other), **about).state == Incident.State.IGNORED
    assert refused(resolve_incident, by=staff_actor(one), **about)


def refused(service, **about) -> bool:
    return pytest.raises(NotAllowedError, service, **about).value.code == "incident_own_emergency"


def test_who_acted_in_an_emergency_that_is_over_ends_the_next_ones(member, clock):
    doer, other = member("工程师").person, member("工程师").person
    about = {"reason": "x", "now": timezone.now()}
    resolve_incident(incident_id=happened("emergency_act", doer).pk, by=staff_actor(other), **about)
    clock.shift(60)
    incident = happened("emergency_act", other)
    assert refused(ignore_incident, incident_id=incident.pk, by=staff_actor(other), **about)
    assert ignore_incident(incident_id=incident.pk, by=staff_actor(doer), **about).state == Incident.State.IGNORED


def test_a_command_is_refused_too(member):
    """The command `own` refuses to give the incident to the person whom it is about, and refuses to run in that
    person's name.
    """
    doer, other = member("工程师").person, member("工程师").person
    incident = happened("emergency_act", doer)
    for to, by in ((doer, other), (other, doer)):
        with pytest.raises(CommandError, match="a colleague has to"):
            call_command("own", incident=incident.pk, to=to.username, by=by.username)
    call_command("own", incident=incident.pk, to=other.username, by=other.username)
    incident.refresh_from_db()
    assert incident.owner == other
