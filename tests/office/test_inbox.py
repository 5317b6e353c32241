"""The inbox shows each message to an account once, and shows nothing of what the account may no longer see (contract
3.13).
"""

import datetime
import re

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from orders.mails.inbox import remove_old_messages, tell_owners, tell_watchers
from orders.models import Incident, Message, Order, OrderEvent, Watch
from orders.people.ownership import hand_over_all, set_owner
from tests import factories as make
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
INBOX = "/admin/inbox/"
DAY = datetime.timedelta(days=1)


def person(role="业务人员", **more):
    """Returns the client of a person in a role."""
    client, user = Client(), make.UserFactory(**more)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)
    client.person = user
    return client


def order_of(user=None, **more):
    since = {"owner": user, "owner_since": timezone.now() - DAY} if user else {}
    return make.OrderFactory(**{"attribution_id": "BJ", "state": "failed"} | since | more)


def hand_over(order, giver, to, kind="order"):
    set_owner(kind=kind, pk=order.pk, to=to, by=staff_actor(giver), now=timezone.now(), reason="请跟进")


def shown(client, query=""):
    return client.get(INBOX + query).content.decode()


def unread(client):
    return client.get(INBOX).context["page"].paginator.count


def test_what_is_handed_over_is_counted_and_read_by_opening(clock):
    clerk, order = person(), order_of()
    hand_over(order, person(username="boss").person, clerk.person)
    page = shown(clerk)
    assert '<span class="unread-count">1</span>' in page
    assert order.number in page
    assert "请跟进" in page
    message = Message.objects.get()
    link = reverse("admin:inbox_open", args=[message.pk])
    assert clerk.head(link).status_code == 302
    assert unread(clerk) == 1
    answer = clerk.get(link)
    assert answer["Location"] == reverse("admin:orders_order_change", args=[order.pk])
    assert unread(clerk) == 0
    assert "unread-count" not in shown(clerk)
    assert order.number in shown(clerk, "?part=all")
    assert person().get(link).status_code == 404  # a colleague can't open the message


def test_an_open_page_counts_what_comes_without_being_loaded_again(clock):
    clerk, boss, order = person(), person(username="boss").person, order_of()
    version = re.search(r'data-version="([\w-]+)"', clerk.get("/admin/").text)[1]

    def poll():
        return clerk.get("/admin/", {"seen": version}, headers={"Desk-Poll": "1"})["Desk-Unread"]

    assert poll() == ""
    hand_over(order, boss, clerk.person)
    assert poll() == "1"


def test_an_incident_and_all_work_of_who_leaves_are_told_and_not_to_the_doer(clock):
    clerk, leaver = person(username="wang"), person(username="li")
    incident = make.AffectedOrderFactory(order=order_of()).incident
    hand_over(incident, leaver.person, clerk.person, "incident")
    hand_over(incident, clerk.person, leaver.person, "incident")
    order = order_of(leaver.person)
    hand_over_all(user=leaver.person, to=clerk.person, by=staff_actor(leaver.person), now=timezone.now())
    assert sorted(Message.objects.values_list("recipient__username", "model")) == [
        ("li", "incident"), ("wang", "incident"), ("wang", "incident"), ("wang", "order"),
    ]  # fmt: skip
    assert order.number in shown(clerk)


def test_all_work_of_who_leaves_is_one_message_a_kind(clock):
    clerk, leaver = person(username="wang", display_name="王敏"), person(username="li")
    orders = [order_of(leaver.person) for _ in range(3)]
    boss = staff_actor(person(username="boss").person)
    hand_over_all(user=leaver.person, to=clerk.person, by=boss, now=timezone.now(), reason="离职")
    assert (unread(clerk), unread(leaver)) == (1, 1)
    assert "转交给 王敏：3 个订单" in shown(clerk)
    message = Message.objects.get(recipient=clerk.person)
    answer = clerk.get(reverse("admin:inbox_open", args=[message.pk]))
    assert answer["Location"] == "/admin/orders/order/?owner=me"
    assert {row.pk for row in clerk.get(answer["Location"]).context["cl"].result_list} == {row.pk for row in orders}


@pytest.mark.parametrize("kind", ["order", "incident"])
def test_who_is_named_in_a_note_reads_it(kind):
    clerk, boss = person(username="lina"), person(username="boss")
    row = order_of() if kind == "order" else make.AffectedOrderFactory(order=order_of()).incident
    name, field = ("decide", "reason") if kind == "order" else ("act", "note")
    url = reverse(f"admin:orders_{kind}_{name}", args=[row.pk, "note"])
    assert boss.post(url, {field: "@lina 请打 13712345678"}).status_code == 302
    page = shown(clerk)
    assert "请打" in page
    assert "13712345678" not in page
    assert Message.objects.get().kind == "mention"
    assert unread(boss) == 0


def test_who_may_confirm_is_asked(settings):
    settings.FOUR_EYES = ["withdraw"]
    asker, judge, order = person("审批主管"), person("审批主管"), order_of(state="active", planned_at=timezone.now())
    url = reverse("admin:orders_order_decide", args=[order.pk, "withdraw"])
    answer = asker.post(url, {"reason": "客户要求", "seen": "0"})
    assert (answer.status_code, unread(asker), unread(judge)) == (302, 0, 1)
    message = Message.objects.get(recipient=judge.person)
    assert judge.get(reverse("admin:inbox_open", args=[message.pk]), follow=True).status_code == 200


def test_changes_of_owned_orders_are_told_once_by_the_sweep():
    clerk = person(username="lina")
    order, by = order_of(clerk.person), {"now": timezone.now()}
    make.OrderEventFactory(order=order, kind="state", at=timezone.now() - 2 * DAY)  # before she became the owner
    add_event(order, "state", by="worker", old="failed", new="in_progress", **by)
    add_event(order, "state", by=staff_actor(clerk.person), old="in_progress", new="failed", **by)
    add_event(order, "incident", by="system", code="code_400", **by)
    add_event(order, "step_done", by="worker", step="start_bpm", **by)
    add_event(order_of(), "state", by="worker", old="failed", new="in_progress", **by)
    tasks.sweep()
    assert tell_owners(now=timezone.now()) == 0
    kinds = Message.objects.order_by("event").values_list("kind", "event__kind", "recipient")
    assert list(kinds) == [("changed", "state", clerk.person.pk), ("changed", "incident", clerk.person.pk)]


def test_what_one_may_not_see_any_more_names_nothing():
    clerk, order = person(letters=["BJ"]), order_of(enterprise_name="云帆")
    incident = make.AffectedOrderFactory(order=order).incident
    boss = person(username="boss").person
    hand_over(order, boss, clerk.person)
    hand_over(incident, boss, clerk.person, "incident")
    message = Message.objects.get(model="order")
    Order.objects.update(attribution_id="SH")
    for page in (shown(clerk), shown(clerk, "?part=all")):
        assert "您已不能查看" in page
        assert order.number not in page
        assert "请跟进" not in page
    assert clerk.get(reverse("admin:inbox_open", args=[message.pk]), follow=True).status_code == 404
    assert clerk.get(reverse("admin:orders_order_change", args=[order.pk])).status_code == 404


def test_all_that_was_shown_is_marked_as_read():
    clerk = person()
    boss = person(username="boss").person
    for _ in range(2):
        hand_over(order_of(), boss, clerk.person)
    newest = clerk.get(INBOX).context["newest"]
    hand_over(order_of(), boss, clerk.person)
    assert clerk.post(INBOX, {"read": newest}).status_code == 302
    assert unread(clerk) == 1
    assert [clerk.post(INBOX, bad).status_code for bad in ({}, {"read": "x"}, {"back": "9" * 30})] == [400] * 3


def test_one_is_reminded_on_the_day_and_takes_it_back_before(clock):
    clock.move_to(shanghai("2023-09-20 18:00:00"))
    clerk, order = person(), order_of()
    url = reverse("admin:orders_order_decide", args=[order.pk, "remind"])
    for day in ("2023-09-20", "2043-09-21", ""):
        assert clerk.post(url, {"day": day, "reason": "催文件"}).context["form"].errors["day"]
    for day in ("2023-09-21", "2023-09-22"):
        assert clerk.post(url, {"day": day, "reason": "催文件"}).status_code == 302
    page = shown(clerk)
    assert unread(clerk) == 0
    assert "2023-09-22" in page
    assert "催文件" in page
    later = Message.objects.latest("at")
    assert person().post(INBOX, {"back": later.pk}).status_code == 302  # a colleague can't take the reminder back
    assert clerk.post(INBOX, {"back": later.pk}).status_code == 302
    assert list(Message.objects.values_list("kind", flat=True)) == ["reminder"]
    assert OrderEvent.objects.filter(kind__startswith="reminder").count() == 3
    clock.move_to(shanghai("2023-09-21 00:01:00"))
    clerk.force_login(clerk.person)
    assert unread(clerk) == 1
    assert "催文件" in shown(clerk)
    assert clerk.post(INBOX, {"back": Message.objects.get().pk}).status_code == 302
    assert unread(clerk) == 1  # it stays, because its day has come


def test_they_are_kept_for_90_days():
    now, clerk = timezone.now(), person().person
    event = make.OrderEventFactory(order=order_of())
    for days, row in ((91, 1), (89, 2), (-400, 3)):
        Message.objects.create(
            recipient=clerk, kind="reminder", event=make.OrderEventFactory(order=event.order), model="order", row=row,
            at=now - days * DAY,
        )  # fmt: skip
    assert remove_old_messages(now=now) == 1
    assert sorted(Message.objects.values_list("row", flat=True)) == [2, 3]


def test_a_page_asks_the_same_however_many(django_assert_max_num_queries):
    clerk, boss = person(), person(username="boss").person
    for _ in range(5):
        hand_over(order_of(), boss, clerk.person)
        hand_over(make.AffectedOrderFactory(order=order_of()).incident, boss, clerk.person, "incident")
    assert Incident.objects.count()
    clerk.get(INBOX)
    with django_assert_max_num_queries(16):
        clerk.get(INBOX)


def watch(client, row, act="watch"):
    return client.post(INBOX, {"watch": f"{row._meta.model_name}:{row.pk}", "act": act})


def changes(order):
    """Changes the order's state and runs the sweep. Returns the user names of those who are told, with the kind of
    message.
    """
    event = add_event(order, "state", by="worker", now=timezone.now(), old="failed", new="in_progress")
    tasks.sweep()
    assert tell_watchers(now=timezone.now()) == 0
    return sorted(Message.objects.filter(event=event).values_list("recipient__username", "kind"))


def test_who_watches_an_order_or_its_customer_hears_of_its_changes_once(clock):
    clerk, other, owner = person(username="li"), person(username="wang"), person(username="zhao")
    order, same, strange = (order_of(enterprise_id=number) for number in ("E1", "E1", "E2"))
    customer = make.CustomerFactory(enterprise_id="E1", last_order=order)
    # before anybody watched the order
    add_event(order, "state", by="worker", now=timezone.now(), old="failed", new="in_progress")
    clock.shift(1)
    page = reverse("admin:orders_order_change", args=[order.pk])
    assert 'value="watch"' in clerk.get(page).text
    assert watch(clerk, order)["Location"] == page
    for one, row in ((clerk, order), (clerk, customer), (other, customer), (owner, order)):
        assert watch(one, row).status_code == 302
    assert 'value="unwatch"' in clerk.get(page).text
    assert 'value="unwatch"' in other.get(reverse("admin:orders_customer_change", args=["E1"])).text
    tasks.sweep()
    assert Message.objects.count() == 0
    clock.shift(1)
    assert changes(order) == [("li", "watched"), ("wang", "watched"), ("zhao", "watched")]
    assert changes(same) == [("li", "watched"), ("wang", "watched")]
    assert changes(strange) == []
    assert "关注的有变化" in shown(clerk)
    Order.objects.filter(pk=order.pk).update(owner=owner.person, owner_since=timezone.now() - DAY)
    assert ("zhao", "changed") in changes(order)
    assert ("zhao", "watched") not in changes(order)
    assert mail.outbox == []


def test_watching_ends_on_the_page_and_in_the_inbox(clock):
    clerk, order = person(username="li"), order_of(enterprise_id="E1")
    customer = make.CustomerFactory(enterprise_id="E1", last_order=order)
    watch(clerk, order)
    watch(clerk, customer)
    assert order.number in shown(clerk)
    watch(clerk, order, "unwatch")
    [row] = Watch.objects.all()
    assert person().post(INBOX, {"unwatch": row.pk}).status_code == 302  # a colleague can't end the watch
    assert Watch.objects.count() == 1
    assert clerk.post(INBOX, {"unwatch": row.pk})["Location"] == INBOX
    clock.shift(1)
    assert changes(order) == []


def test_who_watches_hears_no_more_of_what_they_may_not_see(clock):
    clerk, order = person(username="li", letters=["BJ"]), order_of(enterprise_id="E1")
    customer = make.CustomerFactory(enterprise_id="E1", last_order=order)
    customer.attributions.add("BJ")
    watch(clerk, order)
    watch(clerk, customer)
    clock.shift(1)
    assert changes(order) == [("li", "watched")]
    Order.objects.update(attribution_id="SH")
    assert changes(order) == []
    assert order.number not in shown(clerk)
    assert "您已不能查看" in shown(clerk)
    Order.objects.update(attribution_id="BJ")
    clerk.person.groups.clear()
    assert changes(order) == []
    clerk.person.groups.set(Group.objects.filter(name="业务人员"))
    clerk.person.is_active = False
    clerk.person.save()
    assert changes(order) == []


def test_only_what_one_may_see_is_watched():
    order = order_of(enterprise_id="E1")
    make.CustomerFactory(enterprise_id="E1", last_order=order)
    order_of(enterprise_id="", attribution_id="SH")  # an order without a customer, like one that waits for its trial
    far, none = person(letters=["SH"]), person(role="")
    assert watch(far, order).status_code == 404
    assert watch(none, order).status_code == 403
    for asked in ("customer:E1", "order:x", "incident:1", f"order:{'9' * 30}", "customer:", "order"):
        assert far.post(INBOX, {"watch": asked}).status_code == 404
    assert Client().post(INBOX, {"watch": f"order:{order.pk}"}).status_code == 302
    assert not Watch.objects.exists()
