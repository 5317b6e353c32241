"""The page of a day's calls shows the calls to partners by partner and step, and BBOSS's calls by our answer."""

import datetime
import math
import re

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from orders.queries.calls_of_day import calls_by_step
from orders.rules.local_time import midnight
from tests import factories as make

pytestmark = pytest.mark.django_db
DAY = datetime.date(2023, 9, 19)
NOON = midnight(DAY) + datetime.timedelta(hours=12)


def attempt(step, seconds=1.0, *, at=NOON, **fields):
    ended = None if seconds is None else at + datetime.timedelta(seconds=seconds)
    return make.AttemptFactory(dispatch=step, started_at=at, finished_at=ended, **fields)


def figures(page):
    """Returns the numbers of each row of the tables, by the text of the row's first cell."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        cells = [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        if cells:
            found[cells[0]] = cells[1:]
    return found


def ask(client, **query):
    return client.get(reverse("admin:calls"), query)


@pytest.fixture
def engineer(member, clock):
    return member("工程师")


def test_a_day_by_partner_and_step(engineer):
    step = make.BpmDispatchFactory()
    for number, (outcome, seconds) in enumerate([("retry", 10.0), ("retry", 2.0), ("refused", 0.5), ("ok", 0.25)], 1):
        attempt(step, seconds, outcome=outcome, number=number)
    attempt(step, 3600, outcome="lost", number=5)
    attempt(step, None, outcome="", number=6)
    first, last = midnight(DAY), midnight(DAY + datetime.timedelta(days=1)) - datetime.timedelta(microseconds=1)
    for number, moment in enumerate([first, last, first - datetime.timedelta(microseconds=1)], 1):
        attempt(make.DispatchFactory(), 1, at=moment, outcome="ok", number=number)
    page = ask(engineer, day="2023-09-19").content.decode()
    rows = figures(page)
    assert rows["BPM 下发"] == ["6", "1", "1", "2", "2", "5", "0.500", "10.000"]
    assert rows["下发商用话单"][0] == "2"
    assert list(rows)[:2] == ["下发商用话单", "BPM 下发"]
    listed = engineer.get(re.search(r'href="([^"]*outcome__exact=retry[^"]*)"', page)[1].replace("&amp;", "&"))
    assert listed.context["cl"].result_count == 2


def test_without_a_day_it_is_yesterday(engineer):
    attempt(make.BpmDispatchFactory(), at=timezone.now() - datetime.timedelta(days=1), outcome="ok")
    page = ask(engineer)
    assert page.context["day"] == timezone.localdate() - datetime.timedelta(days=1)
    assert "BPM 下发" in page.text


@pytest.mark.parametrize("number", [1, 2, 3, 99, 100, 101, 200])
def test_half_and_99_of_100_took_at_most_so_long(number):
    """The page shows the median and the 99th percentile as PostgreSQL's percentile_disc computes them. This is the
    smallest duration that at least this share of the calls did not exceed.
    """
    step = make.BpmDispatchFactory()
    seconds = [((place * 7919) % number + 1) / 100 for place in range(number)]
    for place, one in enumerate(seconds, 1):
        attempt(step, one, outcome="ok", number=place)
    [found] = calls_by_step(DAY)
    ordered = sorted(seconds)
    wanted = [ordered[math.ceil(number * share / 100) - 1] for share in (50, 99)]
    assert [found.median, found.p99] == pytest.approx(wanted, abs=0.0005)


def test_messages_of_bboss_by_our_answer(engineer):
    for code, biz, times in [("00000", "0000", 3), ("20208", "", 2), ("30000", "3001", 1), ("30000", "3004", 1)]:
        for _ in range(times):
            make.InboundMessageFactory(rsp_code=code, biz_code=biz, received_at=NOON)
    make.InboundMessageFactory(rsp_code="20311", received_at=NOON - datetime.timedelta(days=1))
    page = ask(engineer, day="2023-09-19").content.decode()
    shown = page.partition("来自 BBOSS")[2]
    assert re.findall(r"(\d{5})</span>", shown) == ["00000", "20208", "30000", "30000"]
    assert re.findall(r'<td class="number">(\d+)</td>', shown) == ["3", "2", "1", "1"]
    assert "20311" not in page
    assert "签名" in shown


def test_an_empty_day_says_so(engineer):
    page = ask(engineer, day="2020-01-01").content.decode()
    assert "这一天没有发送记录" in page
    assert "这一天没有留存的入站报文" in page


@pytest.mark.parametrize(
    "day", ["rubbish", "2023-02-30", "1999-12-31", "9999-12-31", "0001-01-01", "2023-09-21", "\0", "1" * 5000]
)
def test_a_day_that_cannot_be_looked_at_is_refused_with_words(engineer, day):
    answer = ask(engineer, day=day)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "不是有效日期" in page or "只能查看 2000-01-01 至今天" in page


def test_limited_people_do_not_see_counts_of_all_provinces(member):
    staff = member("工程师", letters=["BJ"])
    assert ask(staff).status_code == 403
    assert reverse("admin:calls") not in staff.get(reverse("admin:index")).content.decode()
    page = ask(member("工程师"))
    assert page.status_code == 200
    assert f'href="{reverse("admin:calls")}"' in page.text  # the menu has a link to this page


def test_its_parts_are_for_those_who_see_their_rows(client, clock):
    user = make.UserFactory()
    user.user_permissions.set(Permission.objects.filter(codename="view_attempt"))
    client.force_login(user)
    page = ask(client).content.decode()
    assert "发往对接方" in page
    assert "来自 BBOSS" not in page


def test_a_partner_s_incident_leads_to_its_day(member, clock):
    incidents = [make.IncidentFactory(partner=partner, last_at=NOON) for partner in ("bpm", "order")]
    pages = [reverse("admin:orders_incident_change", args=[row.pk]) for row in incidents]
    link = f'href="{reverse("admin:calls")}?day=2023-09-19"'
    staff = member("工程师")
    assert [link in staff.get(page).content.decode() for page in pages] == [True, False]
    staff = member("工程师", letters=["BJ"])
    assert [link in staff.get(page).content.decode() for page in pages] == [False, False]
