"""The pages show who receives a mail and why: on an order's mails, on a mail's own page, in the table of rules, and
when a rule is tried on an order.
"""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.urls import reverse

from notifications.models import Contact, Mail, MailRule
from orders.models import OrderEvent
from tests import factories as make
from tests.admin.orders import page
from tests.admin.walking import words_of
from tests.office.test_evidence import taken, told

pytestmark = pytest.mark.django_db
LIST, ADD, TRY = (reverse(f"admin:notifications_mailrule_{name}") for name in ("changelist", "add", "try"))
CHOSEN = {
    "rule": None,
    "scope": None,
    "off": False,
    "people": [
        {"mail": "zhang@example.com", "userName": "张三", "how": "sa", "of": "国际", "instead": True},
        {"mail": "desk@example.com", "userName": "值班", "how": "default", "of": "", "instead": False},
    ],
}


def sent(**fields):
    return make.MailFactory(recipients=["zhang@example.com", "desk@example.com"], **{"chosen": CHOSEN} | fields)


@pytest.fixture
def rules(member):
    return member("管理员")


def form(**fields):
    return {"attribution": "BJ", "event": "mail_billed", "order_kind": "", "role": "", "contact": "", **fields}


# --- a mail that was sent, and a mail that is still to be sent


def test_a_mail_s_recipients_are_named_with_why_and_masked(member):
    row = sent()
    for url in (page(row.order, "?tab=mails"), reverse("admin:notifications_mail_change", args=[row.pk])):
        text = words_of(member("业务人员").get(url))
        assert "张** z***@example.com 国际 SA（代为接收，因为本归属未设置联系人）" in text
        assert "值** d***@example.com 默认联系人" in text
        assert "默认规则：SA 联系人和抄送联系人" in text
        assert "张三" not in text
        text = words_of(member("业务人员").get(url, {"personal": "1", "tab": "mails"}))
        assert "张三 zhang@example.com 国际 SA" in text
        assert "张三" not in words_of(member("工程师").get(url, {"personal": "1", "tab": "mails"}))


def test_an_order_s_evidence_masks_them_as_well(member):
    row = sent()
    clerk = member("业务人员")
    assert "张三" not in told(taken(clerk, row.order))
    assert "张三" in told(taken(clerk, row.order, personal="on", reason="仲裁"))


def test_one_of_before_says_that_why_was_not_kept(member):
    text = words_of(member("业务人员").get(page(sent(chosen=None).order, "?tab=mails")))
    assert "z***@example.com" in text
    assert "此邮件生成时尚未记录选择收件人的依据" in text


def test_a_mail_to_come_shows_whom_it_would_go_to_now(member):
    order = make.OrderFactory(attribution_id="BJ")
    make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="waiting", next_try_at=None)
    staff = member("业务人员")
    assert "d***@example.com 默认联系人（未设置其他人）" in words_of(staff.get(page(order, "?tab=mails")))
    make.ContactFactory(attribution_id="BJ", mail="sa@example.com", name="赵六")
    text = words_of(staff.get(page(order, "?tab=mails")))
    assert "待发送的邮件" in text
    assert "赵** s***@example.com 北京 SA" in text
    assert "d***@example.com" not in text
    make.MailFactory(order=order, state="due", subject="", body="", recipients=[], kind="mail_sent_to_bpm")
    text = words_of(staff.get(page(order, "?tab=mails")))
    assert text.count("赵** s***@example.com 北京 SA") == 1


def test_show_says_the_same(capsys):
    order = sent(order=make.OrderFactory(first=False)).order
    make.DispatchFactory(order=order, state="waiting", next_try_at=None)
    call_command("show", order.number)
    written, to_come = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  mail ")]
    assert "to z***@example.com (国际 SA（代为接收，因为本归属未设置联系人）), d***@example.com (默认联系人)" in written
    assert "mail_billed" in to_come
    assert "would go to d***@example.com (默认联系人（未设置其他人）)" in to_come


# --- the table of rules


def test_administrators_keep_rules_and_the_journal_says_from_what_to_what(rules):
    assert rules.post(ADD, form(to_sa="on")).status_code == 302
    row = MailRule.objects.get()
    assert (row.attribution_id, row.event, row.to_sa, row.to_copies) == ("BJ", "mail_billed", True, False)
    url = reverse("admin:notifications_mailrule_change", args=[row.pk])
    assert rules.post(url, form(to_default="on")).status_code == 302
    told = LogEntry.objects.first().change_message
    assert '"field": "to_sa", "old": true, "new": false' in told
    text = words_of(rules.get(LIST))
    assert "北京 · 邮件：计费已下发 · 全部订单类型" in text or "北京 · 邮件" in text
    assert words_of(rules.get(url.replace("change", "history"))).count("→") >= 2


def test_switching_a_mail_off_is_said_and_what_must_reach_somebody_is_not_switched_off(rules):
    assert "请说明这些邮件发给谁，或者不发送" in words_of(rules.post(ADD, form()))
    assert "请说明这些邮件发给谁，或者不发送" in words_of(rules.post(ADD, form(to_sa="on", off="on")))
    answer = rules.post(ADD, form(off="on"), follow=True)
    assert "从现在起，这些邮件不再发送" in words_of(answer)
    assert "不发送：此邮件已关闭" in words_of(rules.get(LIST))
    for event in ("mail_held", "mail_incident"):
        assert "此事件必须有人知晓" in words_of(rules.post(ADD, form(event=event, off="on")))
    assert MailRule.objects.count() == 1


def test_two_rules_for_the_same_mails_are_refused_and_an_overlap_is_explained(rules):
    broad = make.MailRuleFactory(attribution_id=None, event="")
    answer = words_of(rules.post(ADD, form(to_sa="on"), follow=True))
    assert f"规则 {broad.pk}：全部归属 · 全部事件 · 全部订单类型 也适用于其中部分邮件，重叠部分以本规则为准" in answer
    assert "已有一条规则适用于同样的邮件" in words_of(rules.post(ADD, form(to_copies="on")))
    broad_page = reverse("admin:notifications_mailrule_change", args=[broad.pk])
    assert "以那条规则为准" in words_of(rules.get(broad_page))
    again = form(attribution="", event="", to_sa="on")
    assert "已有一条规则适用于同样的邮件" in words_of(rules.post(ADD, again))


def test_a_limited_person_makes_rules_for_their_own_attributions_alone(member):
    staff = member("管理员", letters=["BJ"])
    general = make.MailRuleFactory(attribution_id=None)
    for letters in ("", "SH"):
        assert staff.post(ADD, form(attribution=letters, to_sa="on")).status_code == 200
    assert staff.post(ADD, form(to_sa="on")).status_code == 302
    assert staff.get(reverse("admin:notifications_mailrule_change", args=[general.pk])).status_code == 404
    assert set(MailRule.objects.exclude(pk=general.pk).values_list("attribution_id", flat=True)) == {"BJ"}


# --- rules tried on an order


def test_a_trial_names_the_rule_and_sends_nothing(member, mailoutbox):
    order = make.OrderFactory(attribution_id="BJ")
    make.ContactFactory(attribution_id="BJ", mail="sa@example.com", name="赵六")
    make.MailRuleFactory(attribution_id=None, event="", to_sa=False, to_copies=False)
    rule = make.MailRuleFactory(attribution_id="BJ", event="mail_billed", to_default=True)
    staff = member("业务人员")
    text = words_of(staff.get(TRY, {"order": order.number, "event": "mail_billed"}))
    assert "赵** s***@example.com 北京 SA" in text
    assert f"规则 {rule.pk}：北京" in text
    assert "以下规则也适用，但范围更宽，因此未采用" in text
    text = words_of(staff.get(TRY, {"order": order.number, "event": "mail_rejected"}))
    assert "未发送：规则" in text
    assert "赵六" in words_of(staff.get(TRY, {"order": order.number, "event": "mail_billed", "personal": "1"}))
    assert OrderEvent.objects.get(kind="personal_data_seen").data["where"] == "mail rules"
    assert (mailoutbox, Mail.objects.count()) == ([], 0)


def test_another_province_s_order_is_not_told(member):
    order = make.OrderFactory(attribution_id="SH")
    answer = member("业务人员", letters=["BJ"]).get(TRY, {"order": order.number, "event": "mail_billed"})
    assert "您不能查看该订单，或它不存在" in words_of(answer)


# --- attributions without an SA


def test_attributions_without_an_sa_are_named(member):
    make.ContactFactory(attribution_id="JT")
    make.ContactFactory(attribution_id="SH", role="copy")
    make.ContactFactory(attribution_id="GD", active=False)
    staff = member("管理员", letters=["BJ", "SH", "GD", "JT", "GJ"])
    contacts = reverse("admin:notifications_contact_changelist")
    for url in (contacts, reverse("admin:index")):
        shown = staff.get(url)
        assert "3 个归属没有 SA" in words_of(shown)
        named = re.search(r"没有 SA.*?：\s*([^<]*)", shown.text, re.DOTALL)
        assert {"北京", "上海", "广东"} == set(re.sub(r"\s", "", named[1]).rstrip("<").split("、"))
    Contact.objects.update(active=True, role="sa")
    make.ContactFactory(attribution_id="BJ")
    assert "没有 SA" not in words_of(staff.get(contacts))
    assert "没有 SA" not in words_of(member("工程师").get(reverse("admin:index")))
