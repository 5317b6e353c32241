"""Which contacts of an attribution get its mails."""

import pytest

from notifications.contacts_and_recipients import ContactFacts, choose, contacts_for

pytestmark = pytest.mark.django_db
DEFAULT = ContactFacts("值班", "desk@example.com", "13700000000")


def recipients(letters):
    return [one.mail for one in choose(letters, "mail_billed").people]


def test_the_active_sas_of_the_attribution_in_the_order_of_entry(contact):
    contact("BJ", "b@example.com", name="乙")
    contact("BJ", "a@example.com", name="甲", tel="2")
    contact("BJ", "gone@example.com", active=False)
    contact("BJ", "copy@example.com", role="copy")
    contact("SH", "sh@example.com")
    assert contacts_for("BJ") == [ContactFacts("乙", "b@example.com", "1"), ContactFacts("甲", "a@example.com", "2")]


@pytest.mark.parametrize("letters", ["BJ", "JT", "GJ", ""])
def test_nobody_entered_means_the_default_contact(db, letters):
    assert contacts_for(letters) == [DEFAULT]
    assert recipients(letters) == ["desk@example.com"]


@pytest.mark.parametrize("asked, other", [("JT", "GJ"), ("GJ", "JT")])
def test_group_and_international_share_the_group_customer_sa(contact, asked, other):
    contact(other, "group@example.com")
    contact(other, "copy@example.com", role="copy")
    contact("BJ", "bj@example.com")
    assert recipients(asked) == ["group@example.com", "copy@example.com"]
    contact(asked, "own@example.com")
    assert [facts.mail for facts in contacts_for(asked)] == ["own@example.com"]
    assert [facts.mail for facts in contacts_for(other)] == ["group@example.com"]


def test_a_province_never_falls_back_on_another(contact):
    contact("JT", "group@example.com")
    assert contacts_for("BJ") == [DEFAULT]


def test_a_default_contact_without_mail_is_named_but_gets_none_and_without_any_there_is_nobody(db, settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    assert (contacts_for("BJ"), recipients("BJ")) == ([ContactFacts("值班", "", "13700000000")], [])
    settings.DEFAULT_CONTACT_NAME = settings.DEFAULT_CONTACT_TEL = ""
    assert (contacts_for("BJ"), recipients("BJ")) == ([], [])


def test_each_address_once_sas_first(contact):
    contact("BJ", "copy@example.com", role="copy")
    contact("BJ", "SA@example.com")
    contact("BJ", "sa@example.com", role="copy")
    contact("BJ", "sa2@example.com")
    assert recipients("BJ") == ["SA@example.com", "sa2@example.com", "copy@example.com"]


def test_an_address_that_is_none_does_not_keep_the_mail_from_the_others(contact):
    contact("BJ", "43")
    contact("BJ", "sa@example.com\nBcc: x@example.com")
    contact("BJ", "ok@example.com")
    assert recipients("BJ") == ["ok@example.com"]
