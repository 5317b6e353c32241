"""Passwords that are only for an emergency (contract 4, PASSWORD_LOGIN), and the account for it (5,
`emergency_account`).
"""

import datetime
import io
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import Mail
from orders.admin.journal_values import entry_words
from orders.models import Incident, OrderEvent
from project.base.settings_table import Grant, InvalidSettingError, grants
from project.checks import TAG
from project.models import CompanyAccount, EmergencyAccount, User
from tests.admin.test_accounts import form, page

pytestmark = pytest.mark.django_db
LOGIN, LINK = reverse("admin:login"), reverse("emergency_link")
NEW = "Xuanwu-Lake-1368"


@pytest.fixture(autouse=True)
def site(settings):
    settings.PASSWORD_LOGIN, settings.SITE_URL = "emergency", "http://testserver"


@pytest.fixture
def keeper():
    return User.objects.create_user("keeper", password="right", is_staff=True)


def marked(name="keeper") -> str:
    """Returns the address of the log-in page with the key that the command prints, without our host."""
    out = io.StringIO()
    call_command("emergency_account", name, by="wang", stdout=out)
    return re.search(r"http://testserver(/\S+)", out.getvalue())[1]


def log_in(name="keeper", password="right"):
    return Client().post(LOGIN, {"username": name, "password": password})


def test_the_passwords_of_other_accounts_do_not_count(keeper):
    User.objects.create_user("wang", password="right", is_staff=True, is_superuser=True)
    assert log_in("wang").status_code == 200
    assert log_in().status_code == 200
    marked()
    assert log_in().status_code == 302
    assert log_in("wang").status_code == 200


def test_guesses_at_it_are_locked_as_others_are(keeper):
    marked()
    assert [log_in(password="wrong").status_code for _ in range(5)][-1] == 429
    assert [log_in("other", password="wrong").status_code for _ in range(5)][-1] == 429


def test_each_use_is_told_at_once(keeper, member):
    marked()
    log_in()
    log_in()
    incident = Incident.objects.get(code="emergency_login")
    assert (incident.partner, incident.state) == ("desk", "open")
    mails = Mail.objects.filter(kind="notice_emergency_login")
    assert [mail.recipients for mail in mails] == [["desk@example.com"]] * 2
    assert "keeper" in mails[0].subject
    assert OrderEvent.objects.filter(kind="emergency_login", account_id=keeper.pk).count() == 2
    text = member("管理员").get(reverse("admin:orders_incident_change", args=[incident.pk])).text
    assert "应急账号 keeper 已被使用" in text
    assert "向应急账号的保管人核实" in text


def test_nobody_is_let_in_untold(keeper, monkeypatch):
    marked()

    def broken(*_args, **_more):
        raise RuntimeError

    monkeypatch.setattr("project.accounts.emergency_accounts.open_desk_incident", broken)
    client = Client(raise_request_exception=False)
    assert client.post(LOGIN, {"username": "keeper", "password": "right"}).status_code == 500
    assert "_auth_user_id" not in client.session


def test_with_all_passwords_none_is_told(keeper, settings):
    settings.PASSWORD_LOGIN = "all"
    marked()
    assert log_in().status_code == 302
    assert not Incident.objects.exists()


def test_the_door_says_whose_passwords_count():
    assert "密码仅供应急账号使用" in Client().get(LOGIN).content.decode()


# --- The link


def set_password(client, password=NEW):
    return client.post(LINK, {"new_password1": password, "new_password2": password})


def test_the_link_sets_the_password_once(keeper):
    address = marked()
    client = Client()
    assert client.get(address)["Location"] == LINK  # the address without its key
    shown = client.get(LINK).content.decode()
    assert ("keeper" in shown, "至少 12 个字符" in shown) == (True, True)
    assert set_password(client)["Location"] == LOGIN
    assert log_in(password=NEW).status_code == 302
    assert OrderEvent.objects.filter(kind="emergency_password", account_id=keeper.pk).count() == 1
    for again in (client, Client()):
        again.get(address)
        assert again.get(LINK).status_code == 403
        assert set_password(again, "Another-Lake-2479").status_code == 403
    assert log_in(password=NEW).status_code == 302


def test_the_link_ends_after_half_an_hour(keeper, clock):
    client = Client()
    client.get(marked())
    clock.shift(29 * 60)
    assert client.get(LINK).status_code == 200
    clock.shift(61)
    assert set_password(client).status_code == 403


def test_a_new_link_ends_the_one_before(keeper):
    first, second = Client(), Client()
    first.get(marked())
    second.get(marked())
    assert (first.get(LINK).status_code, second.get(LINK).status_code) == (403, 200)


@pytest.mark.parametrize("password", ["short", "12345678901", ""])
def test_a_weak_password_is_refused_and_the_link_stays(keeper, password):
    client = Client()
    client.get(marked())
    assert set_password(client, password).status_code == 200
    assert set_password(client).status_code == 302


@pytest.mark.parametrize("key", ["", "made-up", "\0", "\ud800"])
def test_a_made_up_key_opens_nothing(keeper, key):
    marked()
    client = Client()
    client.get(LINK, {"key": key.encode("utf-8", "surrogatepass")})
    assert client.get(LINK).status_code == 403
    assert "30 分钟" in client.get(LINK).content.decode()


def test_the_link_of_an_account_that_was_disabled_opens_nothing(keeper):
    client = Client()
    client.get(marked())
    User.objects.update(is_active=False)
    assert client.get(LINK).status_code == 403


def test_the_key_is_kept_nowhere_and_logged_nowhere(keeper, lines):
    address = marked()
    Client().get(address)
    key = address.partition("key=")[2]
    assert key not in str(EmergencyAccount.objects.values().get())
    assert key not in str(list(OrderEvent.objects.values()))
    assert lines()
    assert key not in str(lines())


# --- The command, and the start


@pytest.mark.parametrize(
    "change, said",
    [
        ({"is_active": False}, "keeper is disabled"),
        ({"is_staff": False}, "keeper is disabled"),
        ({"username": "other"}, "no account is called 'keeper'"),
    ],
)
def test_who_can_t_log_in_is_not_marked(keeper, change, said):
    User.objects.update(**change)
    with pytest.raises(CommandError, match=said):
        marked()


def test_a_person_of_the_company_log_in_is_not_marked(keeper):
    CompanyAccount.objects.create(user=keeper, issuer="x", subject="u-1")
    with pytest.raises(CommandError, match="belongs to a person of the company log-in"):
        marked()


def untick(client, user, **changes):
    return client.post(page(user), form(user, **changes))


def test_an_administrator_takes_the_mark_away_on_the_account_s_page(keeper, member):
    User.objects.create_user("second", password="right", is_staff=True)
    marked()
    marked("second")
    manager = member("管理员")
    assert "应急账号" in manager.get(page(keeper)).text
    assert untick(manager, keeper, for_emergency="on").status_code == 302
    assert EmergencyAccount.objects.count() == 2
    assert untick(manager, keeper).status_code == 302
    assert log_in().status_code == 200
    assert log_in("second").status_code == 302
    event = OrderEvent.objects.get(kind="emergency_unmarked")
    assert (event.actor, event.data["account"]) == (f"staff:{manager.person.username}", "keeper")
    assert "应急" not in manager.get(page(keeper)).text
    assert "应急账号：是 → 否" in entry_words(LogEntry.objects.latest("pk"))


@pytest.mark.parametrize("lost", ["for_emergency", "is_active", "is_staff"])
def test_the_last_one_that_can_log_in_stays(keeper, member, settings, lost):
    disabled = User.objects.create_user("second", password="right", is_active=False)
    EmergencyAccount.objects.create(user=disabled, marked_at=timezone.now())
    marked()
    manager = member("管理员")
    answer = untick(manager, keeper, **{"for_emergency": "on"} | {lost: ""})
    assert list(answer.context["adminform"].form.errors) == [lost]
    assert errors() == []
    settings.PASSWORD_LOGIN = "all"
    assert untick(manager, keeper, **{"for_emergency": "on"} | {lost: ""}).status_code == 302


def errors() -> list[str]:
    return [message.id for message in run_checks(tags=[TAG]) if message.is_serious()]


def test_nothing_starts_without_an_account_that_can_log_in(keeper):
    assert errors() == ["desk.019"]
    marked()
    assert errors() == []


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"password": "!"}])
def test_an_account_that_can_t_log_in_does_not_count(keeper, change):
    EmergencyAccount.objects.create(user=keeper, marked_at=timezone.now())
    assert errors() == []
    User.objects.update(**change)
    assert errors() == ["desk.019"]


def test_a_link_counts_as_a_way_in_while_it_is_valid(keeper):
    User.objects.update(password="!")
    marked()
    assert errors() == []
    EmergencyAccount.objects.update(link_until=timezone.now() - datetime.timedelta(seconds=1))
    assert errors() == ["desk.019"]


# --- The settings of the company log-in


@pytest.mark.parametrize(
    "change, said",
    [
        ({"OIDC_ISSUER": "http://idp.example.com"}, "OIDC_ISSUER must be an https address"),
        ({"OIDC_ISSUER": "idp"}, "OIDC_ISSUER must be an https address"),
        ({"OIDC_ISSUER": "https://idp.example.com/?x"}, "OIDC_ISSUER must be an https address"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID is empty"),
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET is empty"),
        ({"SITE_URL": ""}, "SITE_URL is empty"),
    ],
)
def test_a_company_log_in_that_can_t_work_does_not_start(issuer, settings, change, said):
    settings.PASSWORD_LOGIN = "all"
    assert errors() == []
    for name, value in change.items():
        setattr(settings, name, value)
    assert [said in message.msg for message in run_checks(tags=[TAG]) if message.is_serious()] == [True]


@pytest.mark.parametrize(
    "given, said",
    [
        ("a=业务员", ["OIDC_ROLES: there is no role '业务员'."]),
        ("a=业务人员:BJ+XX;b=管理员:YY", [f"OIDC_ROLES: there is no attribution '{two}'." for two in ("XX", "YY")]),
        ("a=夜班", []),
    ],
)
def test_roles_and_attributions_that_nobody_knows_do_not_start(issuer, settings, given, said):
    settings.PASSWORD_LOGIN, settings.OIDC_ROLES = "all", grants("OIDC_ROLES", given)
    Group.objects.create(name="夜班")
    assert [message.msg for message in run_checks(tags=[TAG]) if message.is_serious()] == said


@pytest.mark.parametrize("given", ["a", "a=", "=业务人员", "a=业务人员:", "a=业务人员:BJ+", "a=业务人员;", ";"])
def test_a_list_of_roles_that_can_t_be_read_is_named(given):
    with pytest.raises(InvalidSettingError, match="OIDC_ROLES: .* must be group=role or group=role:BJ\\+TJ"):
        grants("OIDC_ROLES", given)


def test_a_group_s_name_may_hold_what_directories_put_there():
    assert grants("OIDC_ROLES", "CN=ibs,OU=cdn:1=业务人员:BJ+TJ") == (
        Grant("CN=ibs,OU=cdn:1", "业务人员", frozenset({"BJ", "TJ"})),
    )
