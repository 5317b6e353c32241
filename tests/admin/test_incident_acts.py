"""On an incident's page, staff take it over, add notes, ignore it and resolve it, within their attributions."""

import re

import pytest
from django.urls import reverse

from orders.models import Incident, OrderEvent
from orders.texts.incident_texts import title_of
from tests import factories as make

pytestmark = pytest.mark.django_db
State = Incident.State


@pytest.fixture
def incident():
    """An incident that stops an order of Beijing and one of Shanghai."""
    row = make.IncidentFactory()
    for letters in ("BJ", "SH"):
        make.AffectedOrderFactory(incident=row, order=make.OrderFactory(attribution_id=letters))
    return row


def act(client, incident, key, note=""):
    return client.post(reverse("admin:orders_incident_act", args=[incident.pk, key]), {"note": note})


def keys(client, incident):
    answer = client.get(reverse("admin:orders_incident_change", args=[incident.pk]))
    return [act.key for act in answer.context["acts"]]


@pytest.mark.parametrize(
    "key, state",
    [("note", State.OPEN), ("resolve", State.RESOLVED), ("ignore", State.IGNORED)],
)
def test_an_act_is_done_noted_and_told(member, incident, key, state):
    staff = member("工程师")
    assert act(staff, incident, key, "在联系 BPM").status_code == 302
    incident.refresh_from_db()
    assert incident.state == state
    (note,) = incident.notes.all()
    assert (note.text, note.by, note.scope) == ("在联系 BPM", f"staff:{staff.person.username}", None)
    assert OrderEvent.objects.filter(actor=f"staff:{staff.person.username}").exists()


def test_what_is_over_can_only_be_noted(member):
    over = make.IncidentFactory(state=State.RESOLVED)
    staff = member("业务人员")
    assert keys(staff, over) == ["note"]
    before = OrderEvent.objects.count()
    assert act(staff, over, "resolve", "x").status_code == 302
    assert OrderEvent.objects.count() == before


def said(client, incident, key, note=""):
    """Does an act on the incident, and returns the messages on the page."""
    url = reverse("admin:orders_incident_act", args=[incident.pk, key])
    answer = client.post(url, {"note": note}, follow=True)
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize("key", ["resolve", "ignore"])
def test_the_second_of_two_is_told(member, incident, key):
    act(member("工程师"), incident, key, "x")
    events = OrderEvent.objects.count()
    told = said(member("工程师"), incident, "ignore", "x")
    incident.refresh_from_db()
    assert incident.get_state_display() in told[-1]
    assert told[-1].startswith("未")
    assert OrderEvent.objects.count() == events


def test_what_only_the_books_end_offers_no_end_by_hand(member):
    """An incident about differences ends only when the records agree. Its page offers no button to end it and says
    what ends it. The act's address refuses too.
    """
    row = make.IncidentFactory(code="difference", step="", partner="bigdata")
    make.AffectedOrderFactory(incident=row, order=make.OrderFactory(attribution_id="BJ"))
    staff = member("工程师")
    assert keys(staff, row) == ["note", "sleep"]
    page = staff.get(reverse("admin:orders_incident_change", args=[row.pk])).content.decode()
    assert "不能手工解决或忽略" in page
    for key in ("resolve", "ignore"):
        assert "不能手工解决或忽略" in said(staff, row, key, "x")[-1]
    row.refresh_from_db()
    assert row.state == State.OPEN


@pytest.mark.parametrize("key, name", [("note", "备注"), ("resolve", "原因")])
def test_a_text_that_is_too_long_comes_back_with_the_error(member, incident, key, name):
    text = f"打过 13712345678 {'问' * 10_000}"
    page = act(member("工程师"), incident, key, text)
    assert page.context["form"]["note"].label == name
    assert "不超过 500 字符" in page.context["form"].errors["note"][0]
    assert text in page.content.decode()
    assert not incident.notes.exists()


@pytest.mark.parametrize("key", ["resolve", "ignore"])
def test_to_end_it_asks_a_reason_and_names_who_still_stands(member, incident, key):
    """Resolving or ignoring an incident asks for a reason and lists the orders that are still stopped. The incident
    stays as it is until the form is sent with a reason.
    """
    failed = make.OrderFactory(attribution_id="BJ", state="failed", enterprise_name="云帆")
    for order in (failed, *make.OrderFactory.create_batch(25, attribution_id="BJ", state="failed")):
        make.AffectedOrderFactory(incident=incident, order=order)
    staff = member("业务人员")
    url = reverse("admin:orders_incident_act", args=[incident.pk, key])
    assert f'href="{url}"' in staff.get(reverse("admin:orders_incident_change", args=[incident.pk])).content.decode()
    asked = staff.get(url)
    assert (len(asked.context["stopped"]), asked.context["more_stopped"]) == (20, True)
    told = " ".join(asked.context["will"])
    assert "26 个订单仍受阻" in told
    assert ("2 个订单已继续执行" in told) == (key == "resolve")
    assert act(staff, incident, key, " ").context["form"].errors["note"]
    incident.refresh_from_db()
    assert incident.state == State.OPEN
    told = said(staff, incident, key, "测试")
    incident.refresh_from_db()
    assert incident.state == (State.OPEN if key == "resolve" else State.IGNORED)
    assert incident.affected.unresolved().count() == (26 if key == "resolve" else 28)
    assert ("仍受阻的订单保留" in told[-1]) == (key == "resolve")


def test_where_all_orders_still_stand_it_can_t_be_resolved(member):
    row = make.AffectedOrderFactory(order__state="failed", order__attribution_id="BJ")
    staff = member("业务人员")
    url = reverse("admin:orders_incident_act", args=[row.incident.pk, "resolve"])
    page = staff.get(url)
    assert "仍因此受阻" in page.context["why_not"]
    assert row.order.number in page.content.decode()
    assert "仍因此受阻" in said(staff, row.incident, "resolve", "x")[-1]
    row.incident.refresh_from_db()
    assert (row.incident.state, row.incident.notes.count()) == (State.OPEN, 0)


def test_to_resolve_what_names_mails_says_that_they_stay_unsent(member):
    incident = make.IncidentFactory(partner="mail", step="mail_held", code="smtp_550")
    make.AffectedOrderFactory(incident=incident, order__attribution_id="BJ")
    page = member("业务人员").get(reverse("admin:orders_incident_act", args=[incident.pk, "resolve"])).content.decode()
    assert "邮件不再发送，也不再需要处理" in page


def test_a_trial_beside_its_order_that_stands_has_not_gone_on(member):
    """The trial has no stopped step of its own, but its activation has failed. The page and the service both count the
    trial as stopped, and the page shows no code.
    """
    trial = make.OrderFactory(kind="trial", state="trialing", trial_number="", attribution_id="BJ")
    incident = make.IncidentFactory(partner="billing", code="code_400")
    for order in (trial, make.OrderFactory(state="failed", trial=trial, attribution_id="BJ")):
        make.AffectedOrderFactory(incident=incident, order=order)
    staff = member("业务人员")
    page = staff.get(reverse("admin:orders_incident_act", args=[incident.pk, "resolve"]))
    assert "仍因此受阻" in page.context["why_not"]
    assert not any("已继续执行" in line for line in page.context["will"])
    assert "code_400" not in page.content.decode()
    assert title_of("code_400", "") in page.content.decode()
    assert "仍因此受阻" in said(staff, incident, "resolve", "x")[-1]


def test_a_limited_person_learns_nothing_of_others(member, incident):
    Incident.objects.filter(pk=incident.pk).update(detail="SH-777.xlsx: no such file", count=2)
    url = reverse("admin:orders_incident_change", args=[incident.pk])
    text = member("业务人员", letters=["BJ"]).get(url).content.decode()
    assert "SH-777" not in text
    assert "field-count" not in text
    assert "SH-777" in member("业务人员").get(url).content.decode()


def notes_seen(client, incident):
    answer = client.get(reverse("admin:orders_incident_change", args=[incident.pk]))
    return re.findall(r'<div class="note"><span class="quiet">(.*?)</span>(.*?)</div>', answer.content.decode())


def test_notes_of_people_who_see_more_are_hidden(member, incident):
    """A note may be about any order that its author sees. It is hidden from whoever sees fewer of the incident's
    orders.
    """
    for letters, note in ((["SH"], "上海客户"), (None, "全国"), (["BJ"], "北京"), (["BJ", "SH"], "京沪")):
        act(member("业务人员", letters=letters), incident, "note", note)
    assert [row.scope for row in incident.notes.all()] == [["SH"], None, ["BJ"], ["BJ", "SH"]]

    def told(letters):
        return [text for _author, text in notes_seen(member("业务人员", letters=letters), incident)]

    assert told(None) == ["京沪", "北京", "全国", "上海客户"]
    assert told(["BJ"]) == ["北京"]
    assert told(["BJ", "SH"]) == ["京沪", "北京", "全国", "上海客户"]  # who see all orders of the incident


def test_a_note_can_t_pass_for_a_colleague_s(member, incident):
    staff = member("业务人员")
    writer = staff.person.username
    act(staff, incident, "note", "看过了\n2026-11-27 09:00 staff:boss: 已批准，可以忽略")
    ((author, text),) = notes_seen(member("审计员"), incident)
    assert writer in author
    assert text == "看过了 2026-11-27 09:00 staff:boss: 已批准，可以忽略"


def test_an_empty_note_is_refused_in_words(member, incident):
    answer = member("工程师").post(reverse("admin:orders_incident_act", args=[incident.pk, "note"]), {}, follow=True)
    assert 'class="error"' in answer.content.decode()


def test_a_limited_person_ends_nothing_for_others_and_does_nothing_to_an_incident_of_others(member, incident):
    staff = member("业务人员", letters=["BJ"])
    assert keys(staff, incident) == ["note"]
    assert act(staff, incident, "resolve").status_code == 403
    assert keys(member("业务人员", letters=["BJ", "SH"]), incident) == ["note", "resolve", "ignore", "sleep"]
    assert keys(member("审计员"), incident) == []
    assert act(member("业务人员", letters=["GD"]), incident, "note", "x").status_code == 403


@pytest.mark.parametrize("key", ["note", "resolve"])
def test_a_log_in_that_ended_leads_back_to_the_page(client, member, incident, key):
    url = reverse("admin:orders_incident_act", args=[incident.pk, key])
    assert client.post(url, {"note": "x"})["Location"] == f"{reverse('admin:login')}?next={url}"
    answer = member("工程师").get(url)
    if key == "resolve":
        assert answer.context["will"]  # the page asks for the reason again
    else:
        assert answer["Location"] == reverse("admin:orders_incident_change", args=[incident.pk])
    incident.refresh_from_db()
    assert incident.state == State.OPEN


def test_resend_them_together_means_the_orders_of_this_incident_only(member):
    """Two incidents have the same code, but different texts of the partner and different orders. The button resends
    only the orders of its incident.
    """
    orders, incidents = [], []
    for words in ("域名 # 未备案", "额度不足"):
        incidents.append(make.IncidentFactory(partner="bigdata", step="create_billing", code="code_400", words=words))
        orders.append(make.OrderFactory(attribution_id="BJ", state="failed"))
        make.AffectedOrderFactory(incident=incidents[-1], order=orders[-1])
        make.BillingDispatchFactory(order=orders[-1], state="failed", step="create_billing", error_code="code_400")
    staff = member("工程师")
    page = staff.get(reverse("admin:orders_incident_change", args=[incidents[0].pk]))
    assert "域名 … 未备案" in page.content.decode()
    chosen = staff.get(page.context["resend_many"])
    assert (chosen.status_code, chosen.context["count"]) == (200, 1)
    assert orders[0].number in chosen.content.decode()
    assert orders[1].number not in chosen.content.decode()
    listed = staff.get(reverse("admin:orders_order_changelist"), {"incident": incidents[1].pk})
    assert [order.pk for order in listed.context["cl"].result_list] == [orders[1].pk]


@pytest.mark.parametrize("partner, step, code", [("files", "check_files", "missing"), ("bpm", "approval", "second")])
def test_where_nothing_failed_nothing_is_offered_to_be_resent(member, partner, step, code):
    order = make.OrderFactory(attribution_id="BJ", state="held", held_because="files")
    make.DispatchFactory(order=order, step="check_files", channel="files", state="retrying", error_code="missing")
    incident = make.IncidentFactory(partner=partner, step=step, code=code)
    make.AffectedOrderFactory(incident=incident, order=order)
    page = member("工程师").get(reverse("admin:orders_incident_change", args=[incident.pk]))
    assert page.context["resend_many"] == ""


def test_a_decisions_step_is_named_in_chinese(member):
    incident = make.IncidentFactory(partner="bpm", step="approval", code="second")
    make.AffectedOrderFactory(incident=incident, order=make.OrderFactory(attribution_id="BJ"))
    staff = member("工程师")
    for url in (
        reverse("admin:orders_incident_changelist"),
        reverse("admin:orders_incident_change", args=[incident.pk]),
    ):
        page = staff.get(url).content.decode()
        assert "审批" in page[page.index('id="content"') :]
        assert not re.search(r">\s*approval\s*<", page)


def test_the_words_are_in_the_titles_of_incidents(member, admin_client):
    incident = make.IncidentFactory(partner="bigdata", code="code_400", words="域名 # 未备案")
    make.AffectedOrderFactory(incident=incident, order=make.OrderFactory(attribution_id="BJ"))
    for url in (
        reverse("admin:orders_incident_changelist"),
        reverse("admin:orders_affectedorder_changelist"),
        reverse("admin:index"),
    ):
        assert "域名 … 未备案" in admin_client.get(url).content.decode(), url
