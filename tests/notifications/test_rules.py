"""The table of mail rules: who gets a mail instead of the SA contacts and copies, and which rule applies if several
do.
"""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from notifications.contacts_and_recipients import choose, chosen_as
from notifications.models import MailRule
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOBODY = {"to_sa": False, "to_copies": False}


@pytest.fixture
def people(contact):
    return [contact("BJ", "sa@example.com"), contact("BJ", "copy@example.com", role="copy")]


def rule(letters="", event="", kind="", **fields):
    return MailRule.objects.create(attribution_id=letters or None, event=event, order_kind=kind, **fields)


def mails(letters="BJ", event="mail_billed", kind="activation"):
    return [one.mail for one in choose(letters, event, kind).people]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, ["sa@example.com", "copy@example.com"]),
        ({"to_copies": False}, ["sa@example.com"]),
        ({"to_sa": False}, ["copy@example.com"]),
        ({"to_default": True}, ["sa@example.com", "copy@example.com", "desk@example.com"]),
        (NOBODY | {"to_default": True}, ["desk@example.com"]),
        (NOBODY, []),
    ],
)
def test_a_rule_says_who_gets_it(people, fields, expected):
    rule("BJ", "mail_billed", **fields)
    choice = choose("BJ", "mail_billed", "activation")
    assert [one.mail for one in choice.people] == expected
    assert choice.off == (not expected)


@pytest.mark.parametrize(
    "weak, strong",
    [
        (("", "mail_billed", "activation"), ("BJ", "", "")),
        (("BJ", "", "activation"), ("BJ", "mail_billed", "")),
        (("BJ", "mail_billed", ""), ("BJ", "mail_billed", "activation")),
        (("", "", ""), ("", "", "activation")),
    ],
)
def test_of_two_that_fit_province_counts_before_event_and_event_before_kind(people, weak, strong):
    rule(*weak, **NOBODY)
    kept = rule(*strong)
    assert choose("BJ", "mail_billed", "activation").rule == kept
    assert mails() == ["sa@example.com", "copy@example.com"]


@pytest.mark.parametrize("scope", [("SH", "", ""), ("", "mail_rejected", ""), ("", "", "trial")])
def test_a_rule_for_other_mails_changes_nothing(people, scope):
    rule(*scope, **NOBODY)
    assert mails() == ["sa@example.com", "copy@example.com"]


@pytest.mark.parametrize("event", ["mail_held", "mail_incident"])
def test_what_somebody_must_hear_of_reaches_the_default_contact(people, event):
    rule(**NOBODY)
    choice = choose("BJ", event, "activation")
    assert ([one.mail for one in choice.people], choice.off) == (["desk@example.com"], False)
    assert mails() == []


def test_whom_a_rule_names_may_be_gone(people):
    people[0].active = False
    people[0].save()
    rule("BJ", contact=people[0], **NOBODY)
    [one] = choose("BJ", "mail_billed", "").people
    assert (one.mail, one.instead) == ("desk@example.com", True)


def test_a_role_are_its_accounts_that_see_the_attribution(people):
    role = Group.objects.get(name="业务人员")
    all_places = UserFactory(email="all@example.com", is_staff=True)
    own = UserFactory(email="own@example.com", is_staff=True, limited=True)
    own.attributions.add("BJ")
    other = UserFactory(email="other@example.com", is_staff=True, limited=True)
    other.attributions.add("SH")
    gone = UserFactory(email="gone@example.com", is_staff=True, is_active=False)
    for person in (all_places, own, other, gone):
        person.groups.add(role)
    rule("BJ", role=role, to_copies=False)
    assert mails() == ["sa@example.com", "all@example.com", "own@example.com"]


def test_each_is_told_as_what_and_who_stands_in_is_named_so(contact):
    contact("GJ", "group@example.com")
    [one] = choose("JT", "mail_billed").kept()["people"]
    assert chosen_as(one["how"], one["of"], one["instead"]) == "国际 SA（代为接收，因为本归属未设置联系人）"
    [one] = choose("BJ", "mail_billed").kept()["people"]
    assert chosen_as(one["how"], one["of"], one["instead"]) == "默认联系人（未设置其他人）"


@pytest.mark.parametrize("letters", ["BJ", ""])
def test_there_is_one_rule_for_a_scope(letters):
    rule(letters, "mail_billed")
    with pytest.raises(IntegrityError), transaction.atomic():
        rule(letters, "mail_billed")
