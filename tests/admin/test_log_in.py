"""Guessing passwords locks an account for one address and for a while. It locks nothing else."""

import datetime
from urllib.parse import quote

import pytest
from axes.models import AccessAttempt, AccessFailureLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import IntegrityError, OperationalError
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from project.models import FailedLogin, User
from tests.admin.rows import guessed
from tests.bboss_messages import accepted, post_order
from tests.processes.orders import trial

pytestmark = pytest.mark.django_db
URL = reverse("admin:login")
LIST = reverse("admin:project_failedlogin_changelist")
LIMIT = settings.AXES_FAILURE_LIMIT


@pytest.fixture(autouse=True)
def person():
    return User.objects.create_user("wang", password="right", is_staff=True)


def log_in(password="wrong", name="wang", address="10.0.0.5", forwarded=""):
    """Returns the answer to a log-in form from a browser without a session."""
    more = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    form = {"username": name, "password": password, "next": "/admin/orders/order/"}
    return Client().post(URL, form, REMOTE_ADDR=address, **more)


def lock(**who):
    for _ in range(LIMIT):
        answer = log_in(**who)
    return answer


def test_a_failure_beside_a_log_in_that_deletes_its_row_is_answered_and_counted(monkeypatch):
    """The library inserts a row for a failure, while another row of this name still exists. A log-in deletes that row
    before the library reads it. The failure is counted all the same.
    """
    write, gone = QuerySet.get_or_create, iter([True, False])

    def get_or_create(rows, *args, **values):
        if rows.model is AccessAttempt and next(gone):
            raise IntegrityError("UNIQUE")
        return write(rows, *args, **values)

    monkeypatch.setattr(QuerySet, "get_or_create", get_or_create)
    assert log_in().status_code == 200
    assert AccessAttempt.objects.get().failures_since_start == 1


@pytest.mark.parametrize(
    "wanted",
    [
        "http://evil.example.com/",
        "https://evil.example.com/",
        "//evil.example.com",
        "javascript:alert(1)",
        "",
        "\\\\evil",
    ],
)
def test_where_one_may_not_go_the_desk_follows(wanted):
    form = {"username": "wang", "password": "right"}
    for address in (URL, f"{URL}?next={wanted}", f"{URL}?next={quote(wanted)}"):
        for more in ({"next": wanted}, {}):
            answer = Client().post(address, form | more)
            assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_the_way_to_a_new_password_is_in_chinese():
    page = Client().get(URL).content.decode()
    assert "忘记了您的密码或用户名" in page
    assert "Forgotten" not in page


def test_too_many_wrong_ones_lock_and_say_so_in_chinese():
    answers = [log_in() for _ in range(LIMIT)]
    assert [answer.status_code for answer in answers] == [200] * (LIMIT - 1) + [429]
    text = answers[-1].content.decode()
    assert "15 分钟内不能再从此地址登录该账号" in text
    assert answers[-1]["Retry-After"] == "900"
    assert "unsafe" not in answers[-1]["Content-Security-Policy"]
    assert log_in("right").status_code == 429


def test_it_tells_not_which_accounts_exist():
    assert lock(name="nobody").content == lock(name="wang").content


def test_the_account_is_open_from_elsewhere_and_the_address_for_others():
    User.objects.create_user("li", password="right", is_staff=True)
    lock()
    assert log_in("right", address="10.0.0.6").status_code == 302
    assert log_in("right", name="li").status_code == 302


def test_a_success_forgets_the_failures_before():
    for _ in range(LIMIT - 1):
        log_in()
    assert log_in("right").status_code == 302
    assert not FailedLogin.objects.exists()


def test_it_ends_by_itself_and_more_guesses_do_not_lengthen_it(clock):
    lock()
    clock.shift(datetime.timedelta(minutes=14))
    assert log_in().status_code == 429
    clock.shift(datetime.timedelta(minutes=2))
    assert log_in("right").status_code == 302


@pytest.mark.parametrize("count, status", [(0, 429), (1, 302)], ids=["header made up", "written by our proxy"])
def test_whose_address_it_is_follows_the_proxies_that_are_ours(settings, count, status):
    settings.TRUSTED_PROXY_COUNT = count
    for place in range(LIMIT):
        log_in(forwarded=f"9.9.9.{place}")
    assert log_in("right", forwarded="9.9.9.99").status_code == status


def test_passwords_and_odd_names_are_not_kept():
    log_in("hunter2")
    assert "hunter2" not in str(FailedLogin.objects.values().get())
    for name in ("a\0b", "x" * 5000, "<script>alert(1)</script>", "", "\ud800".encode("utf-8", "surrogatepass")):
        assert log_in(name=name).status_code == 200


def test_partners_are_not_concerned(client):
    lock(address="127.0.0.1")
    assert accepted(post_order(client, trial(1)))
    answer = client.post("/api/bpm/approvals", "{}", content_type="application/json")
    assert answer.status_code == 401


def test_an_ipv6_network_is_one_caller():
    answers = [log_in(address=f"2001:db8:0:1::{number}").status_code for number in range(LIMIT)]
    assert answers == [200] * (LIMIT - 1) + [429]
    assert log_in("right", address="2001:db8:0:1:ffff::1").status_code == 429
    assert log_in("right", address="2001:db8:0:2::1").status_code == 302


@pytest.mark.whole
def test_many_failures_over_several_names_lock_the_address(member, clock):
    guessed(40, "name", names=20, address="10.0.0.5")
    for number in range(10):
        assert log_in("right").status_code == 302
        assert log_in(name=f"name{number % 20}").status_code == 200
    answer = log_in("right")
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert "从此地址登录多个账号失败次数过多" in answer.content.decode()
    assert log_in("right", address="10.0.0.6").status_code == 302
    assert "地址已锁定" in member("管理员").get(LIST).content.decode()
    clock.shift(datetime.timedelta(minutes=16))
    assert log_in("right").status_code == 302


@pytest.mark.whole
def test_failures_of_few_names_lock_no_office_out():
    """Wrong passwords for four names, over and over, lock only these four names and not the address that they share."""
    for number in range(52):
        log_in(name=f"name{number % 4}")
    assert log_in("right").status_code == 302


@pytest.mark.whole
def test_an_administrator_unlocks_an_address(member):
    guessed(49, "name", names=20, address="10.0.0.5")
    assert log_in(name="name9").status_code == 200
    assert log_in("right").status_code == 429
    row = FailedLogin.objects.first()
    member("管理员").post(LIST, {"action": "unlock", "_selected_action": [row.pk]})
    assert log_in("right").status_code == 302


def noted_failures():
    shown = ("username", "ip_address", "path_info", "locked_out")
    return list(AccessFailureLog.objects.order_by("pk").values_list(*shown))


@pytest.mark.parametrize("name, typed", [("wang", 100), ("nobody", 2)], ids=["wang", "nobody"])
@pytest.mark.whole
def test_a_name_that_everybody_guesses_is_slow_and_not_locked(name, typed, clock):
    """While everybody guesses a name's password, the first try has to wait. After five seconds the right password is
    accepted.
    """
    guessed(100, name)
    rows = noted_failures()
    AccessFailureLog.objects.all().delete()
    guessed(100 - typed, name)
    for number in range(100 - typed, 100):
        assert log_in(name=name, address=f"10.1.0.{number}").status_code == 200
    assert noted_failures() == rows
    browser = Client()
    right = {"username": name, "password": "right"}
    answer = browser.post(URL, right)
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert "5 秒" in answer.content.decode()
    clock.shift(datetime.timedelta(seconds=4))
    assert browser.post(URL, right).status_code == 429
    clock.shift(datetime.timedelta(seconds=1))
    assert browser.post(URL, right).status_code == (302 if name == "wang" else 200)


@pytest.mark.whole
def test_a_ticket_is_for_one_wrong_password_one_name_and_one_address(clock):
    guessed(100)
    guessed(100, "li")
    browser = Client()
    wrong, right = ({"username": "wang", "password": password} for password in ("wrong", "right"))
    browser.post(URL, wrong)
    clock.shift(datetime.timedelta(seconds=6))
    assert browser.post(URL, right, REMOTE_ADDR="10.9.9.9").status_code == 429
    clock.shift(datetime.timedelta(seconds=6))
    assert browser.post(URL, wrong).status_code == 429
    clock.shift(datetime.timedelta(seconds=6))
    assert browser.post(URL, {"username": "li", "password": "x"}).status_code == 429
    clock.shift(datetime.timedelta(seconds=6))
    browser.post(URL, right)
    clock.shift(datetime.timedelta(seconds=6))
    assert browser.post(URL, wrong).status_code == 200
    assert browser.post(URL, right).status_code == 429
    clock.shift(datetime.timedelta(minutes=6))
    assert browser.post(URL, right).status_code == 429


@pytest.mark.whole
def test_a_forged_ticket_is_none_and_slowness_ends_an_hour_later(clock):
    guessed(100)
    for ticket in ("", "x", "a:b:c", "{}:x:y"):
        browser = Client()
        browser.cookies["login_ticket"] = ticket
        assert browser.post(URL, {"username": "wang", "password": "right"}).status_code == 429
    clock.shift(datetime.timedelta(minutes=61))
    assert log_in("right").status_code == 302


@pytest.mark.whole
def test_a_command_ends_slowness():
    guessed(100)
    call_command("axes_reset_username", "wang")
    assert log_in("right").status_code == 302


def test_an_administrator_lets_them_in_again_and_so_does_a_command(member):
    lock()
    admin = member("管理员")
    assert "已锁定" in admin.get(LIST).content.decode()
    rows = [row.pk for row in FailedLogin.objects.all()]
    assert admin.post(LIST, {"action": "unlock", "_selected_action": rows}).status_code == 302
    assert log_in("right").status_code == 302
    assert LogEntry.objects.get().user == admin.person
    lock()
    call_command("axes_reset_username", "wang")
    assert log_in("right").status_code == 302


def test_an_unlocking_that_breaks_off_leaves_no_entry_that_says_it_was_done(member, monkeypatch):
    def gone(*args):
        raise OperationalError("gone")

    lock()
    admin, rows = member("管理员"), [row.pk for row in FailedLogin.objects.all()]
    monkeypatch.setattr("project.accounts.lockout_pages.forget_failures", gone)
    admin.raise_request_exception = False
    assert admin.post(LIST, {"action": "unlock", "_selected_action": rows}).status_code >= 500
    assert not LogEntry.objects.exists()


def test_ordinary_pages_ask_nothing_about_log_ins(member, django_assert_max_num_queries):
    staff = member("业务人员")
    with django_assert_max_num_queries(20) as captured:
        staff.get(reverse("admin:orders_order_changelist"))
    assert captured.captured_queries
    assert [query["sql"] for query in captured.captured_queries if "axes_" in query["sql"]] == []
