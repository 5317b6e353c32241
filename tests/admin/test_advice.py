"""Each sentence that advises an act is shown with the act's button. Whoever may not do the act reads who may, and gets
a form that hands the order over.
"""

import re
import sys

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils.translation import override

from orders.actions.all_actions import DECISIONS
from orders.models import Order
from orders.order_page.advice_buttons import PLACES
from orders.order_words.order_facts import facts_of
from orders.texts.error_messages import MESSAGES
from orders.texts.incident_texts import CAUSES, WITHOUT_ACT, Cause, cause_of
from tests import factories as make
from tests.admin.orders import billed, deciding, failed, held_for_files, page, unbilled
from tests.factories import NOW
from tests.sources import APPS

pytestmark = pytest.mark.django_db
NAMED = {
    "resend": "(?<!会)重新发送|重发",
    "give_up": "放弃该步骤|请[^。]*放弃(?!其失败)",
    "waive": "豁免",
    "withdraw": "(?<!开通单)撤单",
    "compensate": "补偿|撤回话单",
    "accept": "认可",
    "take": "采用对方|以大数据侧为准",
    "fix": "修正差异",
    "compare": "与大数据侧核对",
    "proceed": "放行",
}
"""How a sentence names an act."""
OTHERS_ACT = "请 ?BBOSS|由 ?BBOSS|BBOSS (重新|每次)"
"""Somebody else's act in the same words."""
STATED = {"not_compensated"}
"""Messages that state a rule in these words."""


def causes():
    """Yields the causes in all modules. A cause is a variable of a module or is in a table."""
    for name in [name for name in sys.modules if name.partition(".")[0] in APPS]:
        for value in vars(sys.modules[name]).values():
            rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            for row in rows:
                yield from (one for one in (row if isinstance(row, tuple) else [row]) if isinstance(one, Cause))


def sentences():
    return {(str(words), act) for one in causes() for words, act in one.advice}


def test_each_sentence_has_its_act_or_says_why_none():
    with override("zh-hans"):
        found = sentences()
        assert len(found) > 120
        assert [
            act for _words, act in found if act not in WITHOUT_ACT and not set(act.split()) <= {*DECISIONS, *PLACES}
        ] == []
        wrong = {
            (words, act, key)
            for words, act in found
            for key, named in NAMED.items()
            if re.search(named, words) and not re.search(OTHERS_ACT, words) and key not in act.split()
        }
    assert wrong == set()


def test_each_refusal_that_names_an_act_has_it():
    with override("zh-hans"):
        wrong = {
            code
            for code, row in MESSAGES.items()
            for key, named in NAMED.items()
            if re.search(rf"(请|须|只能|可以?|先|应)[^。]*({named})", str(row.words))
            and key not in row.acts.split()
            and not re.search(OTHERS_ACT, str(row.words))
        }
        assert [code for code, row in MESSAGES.items() if not set(row.acts.split()) <= {*DECISIONS, *PLACES}] == []
    assert wrong == STATED


def stopped(code):
    order = failed()
    order.dispatches.update(error_code=code)
    return order


def facts(order):
    return facts_of(Order.objects.get(pk=order.pk), now=NOW)


@pytest.mark.parametrize(
    "code", sorted(code for code in CAUSES if "resend" in {act for _, act in cause_of(code).advice})
)
def test_resending_is_advised_only_where_it_can_be_done(member, code):
    """A withdrawn order can't be resent. Neither its page nor the page of its step advises it."""
    order = stopped(code)
    words = [str(words) for words, act in cause_of(code).advice if act == "resend"]
    urls = [page(order), reverse("admin:orders_dispatch_change", args=[order.dispatches.get().pk])]
    engineer = member("工程师")
    if not DECISIONS["resend"].why_not(facts(order)):
        for url in urls:
            told = engineer.get(url).content.decode()
            assert [one for one in words if one not in told] == []
            assert deciding(order, "resend") in told
    Order.objects.filter(pk=order.pk).update(state="withdrawn", undo_since=NOW)
    told = "".join(engineer.get(url).content.decode() for url in urls)
    assert [one for one in words if one in told] == []
    assert deciding(order, "resend") not in told


def colleague(role, name, letters=None, **more):
    user = make.UserFactory(username=name, display_name=name, letters=letters, **more)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def unlike():
    """A live order whose records differ from the big-data side's. Only engineers may correct them."""
    return unbilled()


def test_who_lacks_the_right_reads_who_has_it_and_hands_the_order_over(member, unlike):
    """The page names colleagues who may do the act and see the order. It names no emergency account and no disabled
    account, nor the reader.
    """
    fit = [colleague("工程师", name, letters) for name, letters in (("陈工", None), ("李工", ["BJ"]))]
    colleague("工程师", "沪工", ["SH"])
    colleague("工程师", "急用", is_superuser=True)
    colleague("工程师", "已停用", is_active=False)
    clerk = member("业务人员", letters=["BJ"])
    urls = [page(unlike), reverse("admin:orders_order_preview", args=[unlike.pk])]
    own = reverse("admin:orders_order_own", args=[unlike.pk])
    for url in urls:
        told = clerk.get(url).content.decode()
        assert "“修正差异”由以下角色执行：工程师" in told
        assert [f"{own}?to={one.pk}" in told for one in fit] == [True, True]
        assert told.count("转交给陈工") == 1  # once, although engineers may do three of the acts
        assert [name for name in ("沪工", "急用", "已停用") if name in told] == []
        assert deciding(unlike, "fix") not in told
    form = clerk.get(f"{own}?to={fit[1].pk}").context["form"]
    assert form["to"].value() == str(fit[1].pk)
    clerk.post(own, {"act": "give", "to": fit[1].pk, "seen": 0})
    assert Order.objects.get(pk=unlike.pk).owner == fit[1]


def test_who_may_hand_nothing_over_reads_names_only(member, unlike):
    colleague("工程师", "陈工")
    told = member("审计员").get(page(unlike)).content.decode()
    assert "“修正差异”由以下角色执行：工程师" in told
    assert "陈工" in told
    assert "转交给" not in told


def test_who_has_the_right_gets_the_buttons(member, unlike):
    told = member("工程师").get(page(unlike)).content.decode()
    assert deciding(unlike, "fix") in told
    assert "由以下角色执行" not in told


def test_many_who_may_are_not_all_named(member, unlike):
    for number in range(5):
        colleague("工程师", f"工{number}")
    assert member("业务人员").get(page(unlike)).content.decode().count("转交给") == 3


def test_clerks_compare_and_put_nothing_right(member, unlike):
    clerk = member("业务人员")
    assert clerk.get(deciding(unlike, "compare")).status_code == 200
    assert clerk.get(deciding(unlike, "fix")).status_code == 403


def test_a_refused_act_has_those_that_its_sentence_advises(member):
    """Resending an order that is held for its files is refused. The page then offers the upload of files and the
    waiver of the finding.
    """
    order = held_for_files()
    Order.objects.filter(pk=order.pk).update(info_security=f"{order.number}_50004020027_20230920191212.xlsx")
    clerk = member("业务人员")
    answer = clerk.get(deciding(order, "resend"))
    told = answer.content.decode()
    assert answer.context["why_not"]
    assert f"{page(order)}?tab=files#tabs" in told
    assert deciding(order, "waive") in told
    told = clerk.get(page(order)).content.decode()
    assert f"{page(order)}?tab=files#tabs" in told


def test_an_incident_advises_its_orders_acts(member):
    """If an incident stops one order, its page advises the act on this order. If it stops several, the page advises
    the act on all. Whoever may not do it reads who may.
    """
    order, many = failed(), reverse("admin:orders_order_resend")
    about = {"partner": "bpm", "step": "start_bpm", "code": "timeout"}
    incident = make.AffectedOrderFactory(order=order, incident=make.IncidentFactory(**about)).incident
    url = reverse("admin:orders_incident_change", args=[incident.pk])
    engineer = member("工程师")
    person = engineer.person
    told = engineer.get(url).content.decode()
    assert deciding(order, "resend") in told
    make.AffectedOrderFactory(order=failed(), incident=incident)
    told = engineer.get(url).content.decode()
    assert deciding(order, "resend") not in told
    assert told.count(f'href="{many}') == 2  # in the sentence, and below the orders
    boss = member("审批主管")
    told = boss.get(url).content.decode()
    assert many not in told
    assert "“重新发送”由以下角色执行：业务人员、工程师" in told
    assert f"{reverse('admin:orders_incident_own', args=[incident.pk])}?to={person.pk}" in told
    order.dispatches.update(state="done")
    Order.objects.exclude(pk=order.pk).get(kind="activation").dispatches.update(state="done")
    told = member("工程师").get(url).content.decode()
    assert "请在对方恢复后重新发送" not in told


def test_a_mail_advises_its_own_button(member):
    order = billed()
    mail = make.MailFactory(order=order, state="failed", error_code="connection", next_try_at=None)
    url = reverse("admin:notifications_mail_change", args=[mail.pk])
    clerk = member("业务人员")
    told = clerk.get(url).content.decode()
    assert 'href="#resend"' in told
    assert 'id="resend"' in told
    mail.state = "done"
    mail.save()
    assert "然后重新发送该邮件" not in clerk.get(url).content.decode()


@pytest.mark.parametrize("limited", [False, True])
def test_a_breaker_advises_test_calls(member, limited):
    """The page of an open circuit breaker and the dashboard have the same button for test calls. Test calls concern
    all orders, so a limited account can't make them.
    """
    breaker = make.BreakerFactory(partner="bpm", opened_at=NOW)
    probes = f'class="button advised"\n  href="{reverse("admin:probes")}"'
    urls = [reverse("admin:integrations_breaker_change", args=[breaker.pk]), reverse("admin:index")]
    keeper = member("管理员", letters=["BJ"] if limited else None)
    assert [probes in keeper.get(url).content.decode() for url in urls] == [not limited] * 2
    engineer = member("工程师")
    assert ["“连接测试”由以下角色执行：管理员" in engineer.get(url).content.decode() for url in urls] == [True, True]


def test_an_emergency_s_incident_is_resolved_by_who_may(member):
    """An incident about an emergency log-in stops no order. Whoever may not resolve the incident reads who may."""
    incident = make.IncidentFactory(partner="desk", step="", code="emergency_login")
    url = reverse("admin:orders_incident_change", args=[incident.pk])
    resolve = f'class="button advised"\n  href="{reverse("admin:orders_incident_act", args=[incident.pk, "resolve"])}"'
    assert resolve in member("工程师").get(url).content.decode()
    told = member("审计员").get(url).content.decode()
    assert resolve not in told
    assert "“已解决”由以下角色执行：业务人员、工程师" in told
