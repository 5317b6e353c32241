"""A session of staff ends when it is not used for a while, and some hours after its log-in. Changes of the clock don't
matter.
"""

import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from project.accounts.session_expiry import BEGAN, USED
from project.base.settings_table import TABLE
from project.models import User
from tests.admin.walking import is_in

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:orders_order_changelist")
DOOR = reverse("admin:login")


@pytest.fixture
def browser(clock, settings):
    """The client of somebody who has just logged in with a password. Sessions end after the default times."""
    for name in ("SESSION_IDLE_MINUTES", "SESSION_MAX_HOURS"):
        setattr(settings, name, int(TABLE[name].default))
    User.objects.create_superuser("wang", password="right")
    browser = Client()
    assert browser.post(DOOR, {"username": "wang", "password": "right"}).status_code == 302
    return browser


def minutes(clock, count):
    clock.shift(datetime.timedelta(minutes=count))


def why_ended(answer) -> tuple[str, str]:
    """Returns (reason, address to which the log-in leads back)."""
    place = urlsplit(answer["Location"])
    assert (answer.status_code, place.path) == (302, DOOR)
    found = parse_qs(place.query)
    return found["ended"][0], found["next"][0]


def test_without_use_it_ends_and_the_door_says_why_and_leads_back(browser, clock):
    minutes(clock, 29)
    assert is_in(browser)
    before = browser.session.session_key
    minutes(clock, 30)
    answer = browser.get(f"{PAGE}?q=20&p=2")
    assert why_ended(answer) == ("idle", f"{PAGE}?q=20&p=2")
    page = browser.get(answer["Location"])
    assert "一段时间没有操作" in page.content.decode()
    form = {"username": "wang", "password": "right", "next": page.context["next"]}
    assert not Session.objects.filter(session_key=before).exists()
    minutes(clock, -30)
    assert not is_in(browser)  # the session does not come back when the clock is set back
    minutes(clock, 30)
    assert browser.post(answer["Location"], form)["Location"] == f"{PAGE}?q=20&p=2"
    assert is_in(browser)


def test_who_sent_a_form_learns_that_it_was_not_done(browser, clock):
    add = reverse("admin:orders_province_add")
    minutes(clock, 31)
    answer = browser.post(add, {"name": "新省"})
    assert why_ended(answer) == ("idle", add)
    assert "最后一次提交没有执行" in browser.get(answer["Location"]).content.decode()


@pytest.mark.whole
def test_with_use_it_ends_some_hours_after_the_log_in(browser, clock):
    for _ in range(12 * 3 - 1):
        minutes(clock, 20)
        assert is_in(browser)
    minutes(clock, 20)
    answer = browser.get(PAGE)
    assert why_ended(answer) == ("hours", PAGE)
    assert "登录满" in browser.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("address, more", [(PAGE, {"HTTP_DESK_POLL": "1"}), (f"{reverse('admin:index')}?watch=1", {})])
def test_a_page_that_asks_by_itself_is_no_use(browser, clock, address, more):
    for _ in range(2):
        minutes(clock, 14)
        assert browser.get(address, **more).status_code == 200
    minutes(clock, 3)
    assert why_ended(browser.get(PAGE))[0] == "idle"


def test_an_act_that_says_watch_is_a_use(browser, clock):
    minutes(clock, 29)
    browser.post(f"{PAGE}?watch=1", {})
    minutes(clock, 29)
    assert is_in(browser)


def test_zero_is_never_and_a_page_names_no_end(browser, clock, settings):
    settings.SESSION_IDLE_MINUTES = settings.SESSION_MAX_HOURS = 0
    for _ in range(3):
        minutes(clock, 1800)
        page = browser.get(PAGE)
        assert (page.status_code, 'data-idle=""' in page.text, 'data-hours=""' in page.text) == (200, True, True)
    assert 'id="session"' not in Client().get(DOOR).text


def test_a_new_log_in_begins_anew(browser, clock):
    minutes(clock, 25)
    browser.post(DOOR, {"username": "wang", "password": "right"})
    began = browser.session[BEGAN]
    assert began == browser.session[USED]
    minutes(clock, 25)
    assert is_in(browser)
    assert browser.session[BEGAN] == began


def test_a_session_from_before_the_upgrade_begins_at_its_next_page(browser, clock):
    session = browser.session
    del session[BEGAN], session[USED]
    session.save()
    minutes(clock, 60)
    assert is_in(browser)
    minutes(clock, 29)
    assert is_in(browser)
    minutes(clock, 31)
    assert why_ended(browser.get(PAGE))[0] == "idle"


@pytest.mark.parametrize("hours", [1, 30])
@pytest.mark.whole
def test_a_clock_that_steps_back_throws_nobody_out_and_prolongs_nothing(browser, clock, hours):
    """The clock steps back eleven hours after the log-in. Nobody is logged out by this, and the session lasts only one
    hour more.
    """
    for _ in range(11 * 3):
        minutes(clock, 20)
        assert is_in(browser)
    clock.shift(datetime.timedelta(hours=-hours))
    assert is_in(browser)
    for _ in range(2):
        minutes(clock, 20)
        assert is_in(browser)
    minutes(clock, 20)
    assert why_ended(browser.get(PAGE))[0] == "hours"


def test_a_clock_that_steps_back_does_not_prolong_idleness(browser, clock):
    clock.shift(datetime.timedelta(hours=-5))
    assert is_in(browser)
    minutes(clock, 31)
    assert why_ended(browser.get(PAGE))[0] == "idle"


def test_it_is_written_once_a_minute_at_most_and_asks_nothing_more(browser, clock, django_assert_max_num_queries):
    minutes(clock, 2)
    written = []
    for _ in range(3):
        with django_assert_max_num_queries(40) as captured:
            assert browser.get(PAGE).status_code == 200
        about = [query["sql"] for query in captured.captured_queries if "django_session" in query["sql"]]
        written.append((len([sql for sql in about if sql.startswith("SELECT")]), any("UPDATE" in sql for sql in about)))
        clock.shift(datetime.timedelta(seconds=19))
    assert written == [(1, True), (1, False), (1, False)]


@pytest.mark.parametrize("path", [DOOR, reverse("admin:logout")])
def test_the_door_is_no_place_to_come_back_to(browser, clock, path):
    minutes(clock, 31)
    assert why_ended(browser.get(path))[1] == reverse("admin:index")


def test_nobody_logged_in_and_partners_have_no_session(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get(PAGE)["Location"] == f"{DOOR}?next={PAGE}"
    assert not client.cookies.get("sessionid")


def test_a_page_knows_when_the_session_ends(browser, clock):
    minutes(clock, 20)
    assert is_in(browser)
    minutes(clock, 5)
    page = browser.get(PAGE, headers={"Desk-Poll": "1"}).content.decode()
    assert all(f'data-{name}="{count}"' in page for name, count in {"idle": 1500, "hours": 41700}.items())


def test_where_a_session_is_short_its_use_counts_all_the_same(browser, clock, settings):
    settings.SESSION_IDLE_MINUTES = 1
    for _ in range(3):
        clock.shift(datetime.timedelta(seconds=50))
        assert is_in(browser)
