"""The owner of an order, incident or difference: taking it, handing it over and back, the possible owners, and who is
told (contract 5, `own`)."""

import contextlib
import datetime
import json

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications.models import Mail
from orders.history.actors import staff_actor
from orders.models import Incident, Order, OrderEvent
from orders.people.owned_work import is_nobodys, is_of, set_owners
from orders.people.ownership import OwnerChangedError, hand_over_all, let_go_owners, set_owner
from orders.texts.errors import NotAllowedError
from tests import factories as make

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


def person(username="li", role="业务人员", letters=None, **more):
    user = make.UserFactory(username=username, email=f"{username}@example.com", letters=letters, **more)
    user.groups.set(Group.objects.filter(name=role))
    return user


def failed(letters="BJ"):
    return make.OrderFactory(attribution_id=letters, state="failed")


def give(row, to, *, by="command:ops", **more):
    kind = type(row).__name__.lower()
    done = set_owner(kind=kind, pk=row.pk, to=to, by=by, now=timezone.now(), **more)
    row.refresh_from_db()
    return done


def told() -> list[tuple[str, list[str]]]:
    found = list(Mail.objects.to_staff().order_by("pk").values_list("kind", "recipients"))
    Mail.objects.to_staff().all().delete()
    return found


def made(kind):
    order = failed()
    if kind == "order":
        return order
    if kind == "incident":
        return make.AffectedOrderFactory(order=order).incident
    return make.DifferenceFactory(order=order)


@pytest.mark.parametrize("kind", ["order", "incident", "difference"])
def test_the_subject_holds_nothing_that_somebody_else_wrote(kind):
    row = made(kind)
    Order.objects.update(enterprise_name="请点击链接")
    Incident.objects.update(words="请点击链接")
    row.refresh_from_db()
    give(row, person("wang"), reason="请跟进")
    mail = Mail.objects.get(kind="notice_owner")
    assert "请点击" not in mail.subject
    assert "code_" not in mail.subject
    assert ("请点击" in mail.body) == (kind != "difference")


def test_who_lost_the_province_is_told_nothing_more_of_an_order():
    row, wang = failed(), person("wang", letters=["BJ"])
    give(row, wang)
    wang.attributions.set(["SH"])
    told()
    give(row, person("zhao"))
    assert told() == [("notice_owner", ["zhao@example.com"])]


@pytest.mark.parametrize("kind", ["order", "incident", "difference"])
def test_it_is_taken_handed_over_and_handed_back(kind):
    row, li, wang = made(kind), person(), person("wang")
    assert give(row, li, by=staff_actor(li))
    assert (row.owner, told()) == (li, [])  # nobody is told when a person takes it
    assert give(row, wang, by=staff_actor(li), reason="请跟进")
    assert (row.owner, told()) == (wang, [("notice_owner", ["wang@example.com"])])
    assert not give(row, wang)
    assert give(row, li, by=staff_actor(li))
    assert (row.owner, told()) == (li, [("notice_owner_gone", ["wang@example.com"])])
    assert give(row, None, by=staff_actor(wang))
    assert (row.owner, row.owner_since, told()) == (None, None, [("notice_owner_gone", ["li@example.com"])])
    events = OrderEvent.objects.filter(kind__regex="owner|incident_|difference_").exclude(kind="incident")
    assert [event.data.get("owner", "-") for event in events.order_by("pk")] == ["li", "wang", "li", "-"]
    if kind == "incident":
        assert (row.state, row.notes.get().text) == ("open", "请跟进")


def test_the_mail_says_what_who_why_and_where():
    order, wang = failed(), person("wang")
    give(order, wang, by=staff_actor(person(display_name="李娜")), reason="客户催办")
    row = Mail.objects.to_staff().get()
    assert order.number in row.subject
    for words in ("李娜", "客户催办", f"/admin/orders/order/{order.pk}/change/"):
        assert words in row.body


@pytest.mark.parametrize(
    "more, code",
    [
        ({"is_active": False}, "owner_disabled"),
        ({"is_staff": False}, "owner_disabled"),
        ({"role": "管理员"}, "owner_no_right"),
        ({"role": "审计员"}, "owner_no_right"),
        ({"letters": ["SH"]}, "owner_blind"),
        ({"letters": []}, "owner_blind"),
    ],
)
@pytest.mark.parametrize("kind", ["order", "incident", "difference"])
def test_who_can_not_act_on_it_can_not_have_it(kind, more, code):
    row = made(kind)
    with pytest.raises(NotAllowedError) as refused:
        give(row, person(**more))
    assert refused.value.code == code


def test_what_needs_nobody_is_nobodys():
    with pytest.raises(NotAllowedError, match="needs nobody"):
        give(make.OrderFactory(state="active"), person())


def test_of_two_who_take_it_at_the_same_moment_one_is_told():
    order, li, wang = failed(), person(), person("wang", display_name="王敏")
    give(order, wang, by=staff_actor(wang), shown_owner=0)
    with pytest.raises(OwnerChangedError, match="王敏 has it since"):
        give(order, li, by=staff_actor(li), shown_owner=0)
    assert order.owner == wang
    give(order, li, by=staff_actor(li), shown_owner=wang.pk)
    assert order.owner == li


def shown(order, user) -> dict:
    """Returns where the order appears for the user: under the user's own orders, under the orders without an owner,
    and with the user in the owner column. Also runs `stuck --json`."""
    order.refresh_from_db()
    set_owners([order])
    with contextlib.suppress(CommandError):
        call_command("stuck", "--json")
    return {
        "mine": order in Order.objects.filter(is_of(Order, user.pk)),
        "nobody's": order in Order.objects.filter(is_nobodys(Order)),
        "column": order.owned_by == user.pk,
    }


OWNED = {"mine": True, "nobody's": False, "column": True}
FREE = {"mine": False, "nobody's": True, "column": False}


@pytest.mark.parametrize("change", ["disabled", "moved", "role"])
def test_an_owner_who_can_no_longer_act_has_nothing(change, capsys):
    order, li = failed(), person(letters=["BJ"])
    give(order, li)
    assert shown(order, li) == OWNED
    assert json.loads(capsys.readouterr().out)[0]["owner"] == "li"
    if change == "disabled":
        li.is_active = False
        li.save()
    elif change == "moved":
        li.attributions.set(["SH"])
    else:
        li.groups.clear()
    assert shown(order, li) == FREE
    assert json.loads(capsys.readouterr().out)[0]["owner"] == ""
    assert let_go_owners(now=timezone.now()) == 1
    order.refresh_from_db()
    event = order.events.get(kind="owner_lost")
    assert (order.owner, event.actor, event.data["before"]) == (None, "sweep", "li")
    assert let_go_owners(now=timezone.now()) == 0


def test_what_is_over_leaves_the_list_and_a_day_later_its_owner():
    """An order that fails again soon still has the same owner. An order that fails weeks later does not."""
    order, li, now = failed(), person(), timezone.now()
    give(order, li)
    Order.objects.update(state="active", state_since=now)
    assert shown(order, li) == {"mine": False, "nobody's": False, "column": False}
    assert let_go_owners(now=now + HOUR) == 0
    Order.objects.update(state="failed")
    assert shown(order, li) == OWNED
    Order.objects.update(state="active")
    assert let_go_owners(now=now + 25 * HOUR) == 1
    order.refresh_from_db()
    assert (order.owner, order.events.get(kind="owner_done").data["before"]) == (None, "li")


def test_who_leaves_hands_all_over_in_one_act():
    li, wang = person(display_name="请点击链接"), person("wang", letters=["BJ"])
    rows = [failed(), failed("SH"), made("incident"), made("difference")]
    for row in rows:
        give(row, li)
    told()
    done = hand_over_all(user=li, to=wang, by=staff_actor(li), now=timezone.now())
    assert (done.given, done.left) == (3, [rows[1]])
    for row in rows:
        row.refresh_from_db()
    assert [row.owner for row in rows] == [wang, None, wang, wang]
    mail = Mail.objects.get(kind="notice_owner_all")
    assert ("请点击" in mail.subject, "请点击" in mail.body) == (False, True)
    assert told() == [("notice_owner_all", ["wang@example.com"])]


def test_the_command(capsys):
    order, _li = failed(), person(display_name="李娜")
    call_command("own", order.number, "--to", "li", "--by", "ops", "--reason", "值班")
    assert capsys.readouterr().out == f"{order.number}: with 李娜 now, by command:ops\n"
    call_command("own", order.number, "--to", "li", "--by", "ops")
    assert "already" in capsys.readouterr().out
    call_command("show", order.number)
    assert "  owner 李娜, li\n" in capsys.readouterr().out
    incident, difference = made("incident"), made("difference")
    call_command("own", "--incident", str(incident.pk), "--to", "li", "--by", "ops")
    call_command("own", "--difference", str(difference.pk), "--to", "li", "--by", "ops")
    call_command("own", order.number, "--nobody", "--by", "ops")
    assert capsys.readouterr().out.splitlines()[-1] == f"{order.number}: nobody's now, by command:ops"
    assert [kind for kind, _to in told()] == ["notice_owner"] * 3 + ["notice_owner_gone"]
