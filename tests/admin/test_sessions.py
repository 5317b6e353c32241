"""People see and end their own sessions, and administrators those of colleagues. Whoever loses a right is logged out
at once.
"""

import datetime

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.tasks import look_at_files
from orders.models import Province, TrailEntry
from project.accounts.company.company_login_pages import ID_TOKEN
from project.models import AccountSession, User
from tests.admin.walking import is_in

pytestmark = pytest.mark.django_db
DOOR, MINE = reverse("admin:login"), reverse("admin:sessions")
AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36 Edg/131.0": "微软浏览器、视窗电脑",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36": "谷歌浏览器、视窗电脑",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_1) Version/17 Safari/605.1.15": "苹果浏览器、苹果电脑",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0": "火狐浏览器、其他电脑",
    "Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile Safari/537.36 MicroMessenger/8": "微信、安卓手机",
    "<script>alert(1)</script>": "-",
    "": "-",
}


def someone(name="wang", *roles, **more) -> User:
    user = User.objects.create_user(name, password="right", is_staff=True, **more)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def browser(name="wang", *, agent="", address="192.0.2.7") -> Client:
    """Returns another client in which this person has logged in."""
    made = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
    assert made.post(DOOR, {"username": name, "password": "right"}).status_code == 302
    return made


def shown(one, address=MINE) -> list:
    return one.get(address).context["sessions"]


def of(user) -> str:
    return reverse("admin:project_user_sessions", args=[user.pk])


# --- The page of the sessions


def test_one_sees_one_s_own_sessions_alone(clock):
    someone(), someone("li")
    first, _other = browser(address="192.0.2.1"), browser("li")
    clock.shift(datetime.timedelta(minutes=5))
    second = browser(address="2001:db8::7")
    clock.shift(datetime.timedelta(minutes=2))
    found = shown(second)
    assert [(one.address, str(one.way), one.is_this) for one in found] == [
        ("2001:db8::", "密码登录", True),
        ("192.0.2.1", "密码登录", False),
    ]
    minutes = [((timezone.now() - one.began).seconds // 60, (timezone.now() - one.used).seconds // 60) for one in found]
    assert minutes == [(2, 0), (7, 7)]
    assert is_in(first)


@pytest.mark.parametrize("agent, words", AGENTS.items())
def test_a_browser_is_told_in_plain_words(agent, words):
    someone()
    page = browser(agent=agent).get(MINE)
    assert f"<td>{words}</td>" in page.text
    assert "alert(" not in page.text


def test_no_page_holds_a_session_s_key():
    someone()
    browser(), browser()
    page = browser().get(MINE).text
    assert [key for key in Session.objects.values_list("pk", flat=True) if key in page] == []


def test_a_session_of_the_company_log_in_says_so():
    someone()
    mine = browser()
    session = mine.session
    session[ID_TOKEN] = "x"
    session.save()
    assert [str(one.way) for one in shown(mine)] == ["公司账号登录"]


def test_one_ends_one_session_and_it_is_in_the_trail():
    someone()
    mine, lost, kept = browser(), browser(address="192.0.2.9"), browser(address="192.0.2.8")
    (row,) = [one for one in shown(mine) if one.address == "192.0.2.9"]
    answer = mine.post(MINE, {"end": row.pk}, follow=True)
    assert "已结束 1 个会话" in answer.text
    assert [is_in(one) for one in (mine, lost, kept)] == [True, False, True]
    entry = TrailEntry.objects.get(code="sessions_ended")
    assert (entry.actor, entry.about, entry.address, entry.data) == ("staff:wang", "wang", "192.0.2.7", {"count": 1})


def test_one_ends_all_others():
    someone(), someone("li")
    mine, lost, others = browser(), [browser(), browser()], browser("li")
    assert "已结束 2 个会话" in mine.post(MINE, {"end": "all"}, follow=True).text
    assert [is_in(one) for one in (mine, *lost, others)] == [True, False, False, True]
    assert "没有可结束的会话" in mine.post(MINE, {"end": "all"}, follow=True).text
    assert TrailEntry.objects.filter(code="sessions_ended").count() == 1


def test_one_ends_no_session_of_another_person_nor_the_own_one():
    someone(), someone("li")
    mine, other = browser(), browser("li")
    for row in AccountSession.objects.all():
        assert "没有可结束的会话" in mine.post(MINE, {"end": row.pk}, follow=True).text
    assert is_in(other)
    assert is_in(mine)


@pytest.mark.parametrize("asked", ["", "x", "-1", "1" * 40, "１", "\0"])
def test_what_is_no_session_is_refused(asked):
    someone()
    assert browser().post(MINE, {"end": asked}).status_code == 400


def test_a_session_that_is_over_is_not_shown(clock, settings):
    settings.SESSION_IDLE_MINUTES = 30
    someone()
    browser()
    clock.shift(datetime.timedelta(minutes=31))
    assert [one.is_this for one in shown(browser())] == [True]


def test_an_administrator_sees_and_ends_a_colleague_s(member):
    colleague = someone()
    theirs = browser()
    manager = member("管理员")
    page = manager.get(reverse("admin:project_user_change", args=[colleague.pk]))
    assert f'<a href="{of(colleague)}">查看和结束会话</a>' in page.text
    assert [one.is_this for one in shown(manager, of(colleague))] == [False]
    manager.post(of(colleague), {"end": "all"})
    assert not is_in(theirs)
    assert is_in(manager)
    entry = TrailEntry.objects.get(code="sessions_ended")
    assert (entry.actor, entry.about) == (f"staff:{manager.person.username}", "wang")
    listed = manager.get(reverse("admin:trail")).text
    assert "结束会话" in listed
    assert "1 个" in listed
    assert manager.get(reverse("admin:project_user_sessions", args=[999_999])).status_code == 404


@pytest.mark.parametrize("role, letters", [("管理员", ["BJ"]), ("审计员", None), ("业务人员", None)])
def test_whoever_may_not_change_accounts_ends_nobody_s(member, role, letters):
    colleague = someone()
    theirs, staff = browser(), member(role, letters=letters)
    assert staff.get(of(colleague)).status_code == 403
    assert staff.post(of(colleague), {"end": "all"}).status_code == 403
    assert is_in(theirs)
    assert of(colleague) not in staff.get(reverse("admin:project_user_change", args=[colleague.pk])).text


def test_an_administrator_ends_no_superuser_s(member):
    boss = someone("boss", is_superuser=True)
    theirs = browser("boss")
    assert member("管理员").post(of(boss), {"end": "all"}).status_code == 403
    assert is_in(theirs)


# --- Whoever loses a right is logged out at once


def save(user, **changes):
    for name, value in changes.items():
        setattr(user, name, value)
    user.save()


def become_limited(user):
    User.objects.filter(pk=user.pk).update(limited=False)
    save(user, limited=True)


LOSSES = {
    "a role": lambda user: user.groups.remove(user.groups.first()),
    "all roles": lambda user: user.groups.clear(),
    "by the role's own page": lambda user: Group.objects.get(name="业务人员").user_set.remove(user),
    "a deleted role": lambda user: Group.objects.get(name="业务人员").delete(),
    "a permission": lambda user: user.user_permissions.clear(),
    "an attribution": lambda user: user.attributions.set(Province.objects.filter(letters="BJ")),
    "becoming limited": become_limited,
    "the password": lambda user: save(user, password=make_password("another")),
    "disabled": lambda user: save(user, is_active=False),
    "no staff": lambda user: save(user, is_staff=False),
    "no superuser": lambda user: save(user, is_superuser=False),
}


@pytest.fixture
def person():
    """A person with rights of each kind that can be taken away."""
    user = someone("wang", "业务人员", "工程师", limited=True, is_superuser=True)
    user.attributions.set(Province.objects.filter(letters__in=["BJ", "SH"]))
    user.user_permissions.set(Permission.objects.filter(codename="see_personal_data"))
    return user


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_whoever_loses_a_right_is_out_for_good(person, lose):
    theirs, someone_else = browser(), (someone("li"), browser("li"))[1]
    lose(person)
    assert not Session.objects.filter(of__user=person).exists()
    User.objects.filter(pk=person.pk).update(is_active=True, is_staff=True)
    assert not is_in(theirs)
    assert is_in(someone_else)


def test_whoever_gains_goes_on_and_so_does_whoever_has_a_role_that_may_less(person):
    theirs = browser()
    person.groups.add(Group.objects.get(name="审计员"))
    assert is_in(theirs)
    person.attributions.add(Province.objects.get(letters="TJ"))
    assert is_in(theirs)
    save(person, limited=False)
    person.attributions.clear()
    assert is_in(theirs)
    save(person, display_name="王敏", phone="010-1")
    assert is_in(theirs)
    Group.objects.get(name="业务人员").permissions.clear()
    assert is_in(theirs)


def test_an_administrator_who_takes_a_role_ends_the_colleague_s_session(member):
    colleague = someone("wang", "业务人员", "工程师")
    theirs, manager = browser(), member("管理员")
    keeps = {"username": "wang", "is_active": "on", "is_staff": "on"}
    keeps["groups"] = [str(colleague.groups.get(name="工程师").pk)]
    page = reverse("admin:project_user_change", args=[colleague.pk])
    assert manager.post(page, keeps).status_code == 302
    assert not is_in(theirs)


def test_the_own_new_password_ends_all_other_sessions(clock):
    someone()
    mine, other = browser(), browser()
    new = {"old_password": "right", "new_password1": "Xuanwu-Lake-1368", "new_password2": "Xuanwu-Lake-1368"}
    assert mine.post(reverse("admin:password_change"), new).status_code == 302
    assert [is_in(one) for one in (mine, other)] == [True, False]
    assert [one.is_this for one in shown(mine)] == [True]


# --- Together with a process of the version before


def begun_before(user) -> Client:
    """Returns the client of a session as version 1.6.0 begins it."""
    theirs = Client(HTTP_USER_AGENT="Firefox/133.0 Windows")
    theirs.force_login(user)
    session = theirs.session
    del session["desk_entered"]
    session.save()
    AccountSession.objects.all().delete()
    return theirs


def test_a_session_that_the_version_before_began_is_entered_with_its_next_page():
    user = someone()
    theirs = begun_before(user)
    assert [(one.is_this, one.browser) for one in shown(theirs)] == [(True, "火狐浏览器、视窗电脑")]
    is_in(theirs)
    user.groups.clear()
    assert not is_in(theirs)


def test_a_session_that_the_version_before_ended_leaves_nothing():
    someone()
    browser(), browser()
    key = AccountSession.objects.first().session_id
    Session.objects.filter(pk=key)._raw_delete("default")  # the version before does not know whose session it is
    assert [one.is_this for one in shown(browser())] == [True, False]
    look_at_files()
    assert AccountSession.objects.count() == Session.objects.count() == 2


def test_the_worker_removes_sessions_that_have_expired(clock, settings):
    settings.SESSION_COOKIE_AGE = 12 * 3600
    someone()
    browser()
    clock.shift(datetime.timedelta(hours=11))
    mine = browser()
    clock.shift(datetime.timedelta(hours=2))
    look_at_files()
    assert [row.pk for row in Session.objects.all()] == [mine.session.session_key]
    assert AccountSession.objects.count() == 1


def test_many_sessions_take_no_more_queries(django_assert_num_queries):
    someone()
    mine = browser()
    mine.get(MINE)
    for _ in range(3):
        browser()
    with django_assert_num_queries(7):
        assert len(shown(mine)) == 4
