"""Passwords: the owner sets one by a link that comes by mail, and never a colleague. A new password must follow rules,
and must be changed when it is too old.
"""

import datetime
import io
import re

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from integrations.delivery.write_and_send_mail import send_in_time
from notifications.models import Mail
from orders.models import OrderEvent, TrailEntry
from project.accounts.company.company_login_pages import ID_TOKEN
from project.models import EmergencyAccount, UsedPassword, User
from project.trail.trail_query import TrailFilter, acts_oldest_first
from tests import factories as make
from tests.admin.walking import is_in
from tests.mails import send_mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
LOGIN, ASK, SET = reverse("admin:login"), reverse("admin_password_reset"), reverse("password_link")
CHANGE = reverse("admin:password_change")
OLD, NEW = "Lotus-Pond-1127", "Xuanwu-Lake-1368"
SITE = "https://desk.example.com"


@pytest.fixture(autouse=True)
def site(settings):
    settings.SITE_URL = SITE


@pytest.fixture
def wang():
    about = {"email": "wang@example.com", "is_staff": True, "display_name": "王敏", "phone": "138 0013 8000"}
    return User.objects.create_user("wm", password=OLD, **about)


def log_in(password, name="wm"):
    client = Client()
    client.post(LOGIN, {"username": name, "password": password})
    return client


def ask(name="wm", address="10.0.0.5"):
    return Client().post(ASK, {"name": name}, REMOTE_ADDR=address)


def links() -> list[str]:
    """Sends the waiting mails and returns the links of all mails that were sent, oldest first, without our host."""
    send_mails()
    return [re.search(rf"^{SITE}(/\S+)$", one.body, re.MULTILINE)[1] for one in mail.outbox]


def opened(address) -> Client:
    client = Client()
    assert client.get(address)["Location"] == SET
    return client


def set_by(client, password=NEW):
    return client.post(SET, {"new_password1": password, "new_password2": password})


def acts():
    rows = TrailEntry.objects.filter(code__startswith="password").order_by("pk")
    return [(row.code, row.actor, row.about, row.data.get("way", "")) for row in rows]


# --- Forgotten passwords


def test_who_forgot_it_gets_a_link_by_mail_that_sets_it_once(wang):
    assert f"{ASK}" in Client().get(LOGIN).text
    before = log_in(OLD)
    answer = ask()
    assert answer.status_code == 302
    page = Client().get(answer["Location"])
    assert "30 分钟" in page.text
    [address] = links()
    assert mail.outbox[0].to == ["wang@example.com"]
    client, other = opened(address), opened(address)
    assert all("wm" in browser.get(SET).text for browser in (client, other))
    answer = set_by(client)
    assert "密码已设置" in client.get(answer["Location"]).text
    assert is_in(log_in(NEW))
    assert not is_in(log_in(OLD))
    assert not is_in(before)  # the sessions that were open have ended
    for again in (client, other, opened(address)):
        assert (again.get(SET).status_code, set_by(again, "Another-Lake-2479").status_code) == (403, 403)
    assert acts() == [("password_asked", "", "wm", ""), ("password_set", "staff:wm", "wm", "notice_password_reset")]
    assert set(TrailEntry.objects.filter(code="password_asked").values_list("address", flat=True)) == {"10.0.0.5"}


@pytest.mark.parametrize("minutes, valid", [(29, True), (31, False)])
def test_it_ends_after_half_an_hour(wang, clock, minutes, valid):
    ask()
    client = opened(links()[0])
    clock.shift(datetime.timedelta(minutes=minutes))
    assert set_by(client).status_code == (302 if valid else 403)
    assert is_in(log_in(NEW)) is valid


@pytest.mark.parametrize("change", ["password", "log-in", "mail", "is_active", "second link"])
def test_what_happens_to_the_account_meanwhile_ends_it(wang, clock, change):
    ask()
    [address] = links()
    clock.shift(60)
    if change == "second link":
        ask()
        set_by(opened(links()[-1]), "Another-Lake-2479")
    elif change == "log-in":
        log_in(OLD)
    else:
        wang.set_password("Another-Lake-2479")
        User.objects.filter(pk=wang.pk).update(
            **{
                "password": {"password": wang.password},
                "mail": {"email": "other@example.com"},
                "is_active": {"is_active": False},
            }[change]
        )
    assert set_by(opened(address)).status_code == 403
    assert not is_in(log_in(NEW))


@pytest.mark.parametrize("key", ["", "made-up", "a:b:c", "\0", "\ud800", "x" * 5000])
def test_a_made_up_key_opens_nothing(wang, key):
    client = Client()
    client.get(SET, {"key": key.encode("utf-8", "surrogatepass")})
    answer = client.get(SET)
    assert answer.status_code == 403
    assert ASK in answer.text


def test_the_key_of_an_account_opens_no_other_and_a_reset_s_is_no_invitation_s(wang, clock):
    make.UserFactory(username="li", email="li@example.com").set_password(OLD)
    ask()
    [address] = links()
    clock.shift(datetime.timedelta(hours=1))
    assert opened(address.replace("key=", "key=x")).get(SET).status_code == 403
    assert opened(address).get(SET).status_code == 403


def test_the_link_stands_in_the_mail_alone(wang, lines, member):
    ask()
    key = links()[0].partition("key=")[2]
    assert opened(f"{SET}?key={key}").get(SET).status_code == 200
    notice = Mail.objects.get()
    shown = member("工程师").get(reverse("admin:notifications_mail_change", args=[notice.pk])).text
    assert "链接（只写在这封邮件中）" in shown
    kept = [list(model.objects.values()) for model in (Mail, TrailEntry, OrderEvent, User)]
    kept += [row.get_decoded() for row in Session.objects.all()]
    for place in (shown, str(kept), str(lines()), str(list(acts_oldest_first(TrailFilter())))):
        assert key not in place
    assert lines()


def test_a_mail_that_could_not_go_out_is_sent_later_with_a_link_of_then(wang, clock, monkeypatch):
    send, left = "integrations.delivery.write_and_send_mail.send_in_time", [OSError("away")]

    def broken(payload, real=send_in_time):
        if left:
            raise left.pop()
        return real(payload)

    monkeypatch.setattr(send, broken)
    ask()
    send_mails()
    assert mail.outbox == []
    clock.shift(datetime.timedelta(minutes=40))
    [address] = links()
    assert set_by(opened(address)).status_code == 302


def test_no_link_goes_to_a_mail_that_the_account_had_before(wang):
    ask()
    User.objects.filter(pk=wang.pk).update(email="new@example.com")
    make.UserFactory(email="wang@example.com")
    send_mails()
    assert mail.outbox == []
    assert Mail.objects.get().state == "failed"


@pytest.mark.parametrize("change", [None, {"email": ""}, {"is_active": False}, {"is_staff": False}, {"password": "!"}])
def test_who_gets_none_reads_the_same(wang, change):
    known = ask()
    name = "nobody"
    if change:
        name = "li"
        User.objects.create_user(name, email="li@example.com", password=OLD, is_staff=True)
        User.objects.filter(username=name).update(**change)
    answer = ask(name, "10.0.0.6")
    assert (answer.status_code, answer["Location"], answer.content) == (302, known["Location"], known.content)
    assert set(answer.headers) == set(known.headers)
    send_mails()
    assert [one.to for one in mail.outbox] == [["wang@example.com"]]
    assert [row[2] for row in acts()] == ["wm", name]


def test_a_name_that_gets_none_takes_the_same_statements(wang):
    ask("warm up")
    kinds = []
    for name in ("wm", "nobody"):
        with CaptureQueriesContext(connection) as captured:
            ask(name, f"10.0.1.{len(name)}")
        kinds.append([query["sql"].split()[0] for query in captured.captured_queries])
    known, unknown = kinds
    assert known.count("INSERT") == 3
    assert [kind for kind in known if kind != "RELEASE"] == [
        kind for kind in unknown if kind not in {"RELEASE", "ROLLBACK"}
    ]


@pytest.mark.parametrize("name", ["wm", "nobody"])
def test_a_name_gets_three_an_hour(wang, clock, name):
    assert [ask(name, f"10.0.0.{place}").status_code for place in range(4)] == [302, 302, 302, 429]
    answer = ask(name)
    assert answer["Retry-After"] == "3600"
    assert "过于频繁" in answer.text
    assert len(acts()) == 3
    clock.shift(3601)
    assert ask(name).status_code == 302


def test_an_address_gets_twenty_an_hour(wang):
    assert {ask(f"name{number}").status_code for number in range(20)} == {302}
    assert ask().status_code == 429
    assert ask(address="10.0.0.6").status_code == 302
    network = [ask(f"six{number}", f"2001:db8::{number}").status_code for number in range(21)]
    assert network[-2:] == [302, 429]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 200, "<script>"])
def test_odd_names_are_no_fault(name):
    assert ask(name).status_code in {200, 302}


def test_whoever_set_it_anew_is_not_locked_out_by_the_failures_before(wang):
    for _ in range(5):
        log_in("wrong")
    assert Client().post(LOGIN, {"username": "wm", "password": OLD}).status_code == 429
    ask()
    set_by(opened(links()[0]))
    assert is_in(log_in(NEW))


def test_for_an_emergency_alone_marked_accounts_get_one(wang, settings, clock):
    settings.PASSWORD_LOGIN = "emergency"
    EmergencyAccount.objects.create(
        user=User.objects.create_user("keeper", "keeper@example.com", OLD, is_staff=True), marked_at=make.NOW
    )
    ask()
    ask("keeper")
    [address] = links()
    assert mail.outbox[0].to == ["keeper@example.com"]
    client = opened(address)
    EmergencyAccount.objects.all().delete()
    assert set_by(client).status_code == 403


# --- Invitations


def make_account(client, **more):
    return client.post(reverse("admin:project_user_add"), {"username": "li", "sees": "all", "is_staff": "on", **more})


def invite(client, user):
    return client.post(reverse("admin:auth_user_password_change", args=[user.pk]))


def shown_link(answer) -> str:
    return re.search(rf"{SITE}(/\S+?)</pre>", answer.text)[1]


def test_a_new_account_s_person_sets_the_password(member):
    manager = member("管理员")
    form = manager.get(reverse("admin:project_user_add")).text
    assert "password" not in re.findall(r'name="(\w+)"', form)
    assert make_account(manager, email="li@example.com").status_code == 302
    user = User.objects.get(username="li")
    assert (user.is_staff, user.has_usable_password()) == (True, False)
    assert str(manager.person.pk) in user.given_by
    [address] = links()
    assert mail.outbox[0].to == ["li@example.com"]
    assert set_by(opened(address)).status_code == 302
    assert is_in(log_in(NEW, "li"))
    assert acts() == [
        ("password_invited", f"staff:{manager.person.username}", "li", "mail"),
        ("password_set", "staff:li", "li", "notice_invitation"),
    ]
    told = [act.details for act in acts_oldest_first(TrailFilter()) if act.what.startswith("password")]
    assert told == ["发出设置密码的链接；已发送邮件", "通过链接设置密码；管理员发出的链接"]


def test_without_a_mail_the_link_is_shown_once_to_hand_over(member):
    manager = member("管理员")
    answer = make_account(manager)
    assert answer.status_code == 200
    address = shown_link(answer)
    assert not Mail.objects.exists()
    page = reverse("admin:project_user_change", args=[User.objects.get(username="li").pk])
    account = manager.get(page).text
    assert "尚未设置密码" in account
    assert "key=" not in account
    assert "基于密码的认证" not in account
    assert set_by(opened(address)).status_code == 302
    assert is_in(log_in(NEW, "li"))


@pytest.mark.parametrize("days, valid", [(2.9, True), (3.1, False)])
def test_an_invitation_ends_after_three_days(member, clock, days, valid):
    make_account(member("管理员"), email="li@example.com")
    client = opened(links()[0])
    clock.shift(datetime.timedelta(days=days))
    assert set_by(client).status_code == (302 if valid else 403)


def test_a_new_link_ends_the_password_the_earlier_link_and_the_sessions(member, wang):
    manager, session = member("管理员"), log_in(OLD)
    ask()
    [earlier] = links()
    page = manager.get(reverse("admin:auth_user_password_change", args=[wang.pk])).text
    assert "w***@example.com" in page
    assert "立即失效" in page
    assert is_in(session)
    invite(manager, wang)
    assert not is_in(session)
    assert not is_in(log_in(OLD))
    assert opened(earlier).get(SET).status_code == 403
    wang.refresh_from_db()
    assert str(manager.person.pk) in wang.given_by
    client = opened(links()[-1])
    assert set_by(client, OLD).status_code == 200  # refused, because it was the password before
    assert set_by(client).status_code == 302


@pytest.mark.parametrize("superuser", [False, True])
def test_a_superuser_s_is_a_superuser_s_matter(member, admin_client, superuser):
    user = User.objects.create_superuser("root", "root@example.com", OLD)
    client = admin_client if superuser else member("管理员")
    assert invite(client, user).status_code == (302 if superuser else 403)
    user.refresh_from_db()
    assert user.has_usable_password() is not superuser


def test_accounts_that_may_have_no_password_and_one_s_own_get_no_invitation(member, settings, wang):
    manager = member("管理员")
    assert invite(manager, manager.person)["Location"] == CHANGE
    assert not acts()
    User.objects.filter(pk=wang.pk).update(is_active=False)
    assert "账号已停用" in invite(manager, wang).text
    User.objects.filter(pk=wang.pk).update(is_active=True)
    settings.PASSWORD_LOGIN = "emergency"
    assert "只有应急账号" in invite(manager, wang).text
    assert make_account(manager, email="li@example.com").status_code == 302
    assert not Mail.objects.exists()
    assert is_in(manager)
    settings.PASSWORD_LOGIN = "all"
    assert is_in(log_in(OLD))


# --- Rules for a password


@pytest.mark.parametrize(
    "password, said",
    [
        ("Lake-1368xy", "至少"),
        ("820714936205", "数字"),
        ("password1234", "常见"),
        ("I-am-WANG-2026", "不能包含本人"),
        ("2026-王敏-的密码字符串", "不能包含本人"),
        ("ab1-0013-8000x", "不能包含本人"),
        ("ＷＡＮＧ-Lake-1368", "不能包含本人"),
        (OLD, "最近五次"),
        (NEW, None),
    ],
)
def test_what_is_refused_is_said(wang, password, said):
    client = log_in(OLD)
    answer = client.post(CHANGE, {"old_password": OLD, "new_password1": password, "new_password2": password})
    assert answer.status_code == (200 if said else 302)
    assert said is None or said in str(answer.context["form"].errors)


def test_none_of_the_last_five_and_the_sixth_again(wang):
    ours = [OLD, *(f"Lake-Number-{word}" for word in ("one", "two", "three", "four", "five"))]
    client = log_in(OLD)

    def change(old, new):
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        return client.post(CHANGE, form).status_code

    for before, after in zip(ours, ours[1:], strict=False):
        assert change(before, after) == 302
    for one in ours[1:]:
        assert change(ours[-1], one) == 200
    assert change(ours[-1], OLD) == 302
    assert UsedPassword.objects.filter(user=wang).count() == 5
    assert [row[:3] for row in acts()] == [("password_changed", "staff:wm", "wm")] * 6
    assert is_in(client)  # the session in which the password was changed goes on


def test_an_older_shorter_one_keeps_working():
    User.objects.create_user("old", password="short", is_staff=True)
    assert is_in(log_in("short", "old"))


def test_a_hash_that_is_only_made_anew_is_no_change(wang, settings, clock):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    before = User.objects.get(pk=wang.pk)
    assert is_in(log_in(OLD))
    after = User.objects.get(pk=wang.pk)
    assert after.password != before.password
    assert after.password_set_at == before.password_set_at
    assert not UsedPassword.objects.exists()


# --- Passwords that are too old


@pytest.fixture
def aged(wang, settings, clock):
    """The browser of somebody whose password was set 90 days ago, which is the longest time allowed."""
    wang.set_password("Plum-Rain-4471")
    wang.save()
    settings.PASSWORD_MAX_DAYS = 90
    clock.shift(datetime.timedelta(days=90))
    return log_in("Plum-Rain-4471")


def test_it_leads_to_the_change_and_nowhere_else(aged):
    addresses = [reverse("admin:index"), reverse("admin:orders_order_changelist"), "/admin/nowhere/"]
    addresses += [reverse("admin:password_change_done"), f"{reverse('admin:find')}?q=20"]
    for address in addresses:
        assert aged.get(address)["Location"] == CHANGE
        assert aged.get(address, headers={"Desk-Poll": "1"})["Desk-Door"] == CHANGE
        assert aged.post(address, {})["Location"] == CHANGE
    assert "超过规定的使用天数" in aged.get(CHANGE).text
    form = {"old_password": "Plum-Rain-4471", "new_password1": NEW, "new_password2": NEW}
    assert aged.post(CHANGE, form)["Location"] == reverse("admin:password_change_done")
    assert is_in(aged)
    assert "超过规定的使用天数" not in aged.get(CHANGE).text


def test_one_may_log_out_instead(aged):
    assert aged.post(reverse("admin:logout")).status_code == 200
    assert not is_in(aged)


def test_a_day_younger_with_zero_days_or_by_the_company_log_in_it_leads_nowhere(aged, settings, clock):
    day = datetime.timedelta(days=1)
    clock.shift(-day)
    assert is_in(aged)
    clock.shift(day)
    assert not is_in(aged)
    settings.PASSWORD_MAX_DAYS = 0
    assert is_in(aged)
    settings.PASSWORD_MAX_DAYS = 90
    session = aged.session
    session[ID_TOKEN] = "x"
    session.save()
    assert is_in(aged)


def test_accounts_of_before_the_upgrade_count_from_then(settings):
    """An account that existed before the upgrade counts from the upgrade. Version 1.6 creates accounts without the
    column, so the column has a default.
    """
    settings.PASSWORD_MAX_DAYS = 1
    user = make.UserFactory()
    assert User.objects.get(pk=user.pk).password_set_at is not None


def test_a_command_s_change_counts_too(wang, settings, clock, monkeypatch):
    settings.PASSWORD_MAX_DAYS = 90
    clock.shift(datetime.timedelta(days=900))
    monkeypatch.setattr("getpass.getpass", lambda prompt="": NEW)
    call_command("changepassword", "wm", stdout=io.StringIO())
    assert is_in(log_in(NEW))
