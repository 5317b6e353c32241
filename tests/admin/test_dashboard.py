"""The dashboard needs few queries, and every number links to a list of exactly that many rows."""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.incidents.stuck import stuck
from orders.lists.scope import BLIND
from orders.models import Dispatch, Order
from orders.rules.trial_shape import Shape
from orders.trials.trial_state_writes import keep_shape
from project.observability.alarm_reasons import LATE
from project.observability.status_report import desk_status
from tests import factories as make
from tests.admin.walking import desk_of, unrendered

pytestmark = pytest.mark.django_db
S, DAY = Order.State, datetime.timedelta(days=1)
INDEX = reverse("admin:index")


@pytest.fixture
def busy():
    """A desk in which every block of the dashboard has something to show."""
    now = timezone.now()
    today = timezone.localdate(now)
    for state, start in [(S.ACTIVE, 0), (S.SCHEDULED, 3), (S.SCHEDULED, 13), (S.AWAITING_APPROVAL, 0), (S.FAILED, -2)]:
        order = make.OrderFactory(state=state, biz_start=today + start * DAY, received_at=now)
        make.DispatchFactory(order=order, next_try_at=now - DAY, created_at=now - DAY)
    make.TrialFactory(received_at=now)
    make.TrialFactory(received_at=now - 3 * DAY)
    make.OrderFactory(state=S.HELD, held_because=Order.Held.FILES, received_at=now, biz_start=today - DAY)
    make.OrderFactory(state=S.SCHEDULED, biz_start=today + 20 * DAY, received_at=now - 30 * DAY)
    incident = make.IncidentFactory()
    for back in (0, 0, 2):
        make.AffectedOrderFactory(incident=incident, since=now - back * DAY)
    make.AffectedOrderFactory(incident=incident, since=now, closed_at=now)
    make.IncidentFactory(state="resolved")
    make.DispatchFactory(state=Dispatch.State.RETRYING, channel="bpm", next_try_at=now + DAY)
    make.BreakerFactory(partner="bpm", opened_at=now)
    make.HeartbeatFactory(seen_at=now)
    served = make.OrderFactory(state=S.ACTIVE, biz_start=today, received_at=now - 40 * DAY)
    for domain in ("a.example.com", "b.example.com"):
        make.DifferenceFactory(order=served, domain=domain, found_at=now - DAY)
    make.DifferenceFactory(order=served, kind="fields", found_at=now)
    make.DifferenceFactory(order=make.OrderFactory(state=S.WITHDRAWN, received_at=now), found_at=now - 2 * DAY)
    make.DifferenceFactory(kind="unknown_order", order=None, job_id="X9")
    make.DifferenceFactory(state="over")
    failed_trial = make.TrialFactory(state=S.FAILED, received_at=now)
    behind = make.OrderFactory(trial=failed_trial, trial_number=failed_trial.number, received_at=now)
    for order, state in ((failed_trial, "failed"), (behind, "waiting")):
        make.DispatchFactory(order=order, lane=failed_trial.pk, state=state, next_try_at=None, created_at=now)
    make.ConflictFactory(order_number=served.number)
    make.ConflictFactory(order_number="X8")
    returned = make.OrderFactory(state=S.AWAITING_APPROVAL, biz_start=today, received_at=now)
    make.ApprovalRecordFactory(order=returned, result="return")
    for ahead, end in ((0, 2), (6, 9), (7, 9)):  # its last day, and the end in the trial's own message
        trial = make.TrialFactory(state=S.TRIALING, received_at=now, biz_end=today + end * DAY)
        keep_shape(trial, Shape(end=today + ahead * DAY))


def numbers_of(desk):
    """Yields every number of the page that counts rows of a list, with the address of the list."""
    for row in desk.kinds:
        yield row.total.number, row.total.url
        yield from ((state.number, state.url) for state in row.states)
    yield from ((row.number, row.url) for work in desk.work for row in work.numbers)
    yield from ((row.stopped.number, row.stopped.url) for work in desk.work for row in work.rows if row.stopped)
    yield from ((row.number, row.url) for row in (desk.differences, desk.approvals, desk.conflicts))
    yield from ((row.number, row.url) for row in (desk.unbilled, desk.returned))
    yield from ((problem.number, problem.url) for problem in desk.problems if "needs=somebody" in problem.url)
    yield len(desk.incidents), desk.incidents_url
    yield from ((partner.number, partner.url) for partner in desk.partners)
    yield desk.calendar.overdue, desk.calendar.overdue_url
    for day in desk.calendar.days:
        yield day.due, day.due_url
        yield day.done, day.done_url
        yield day.ending, day.ending_url
    yield desk.calendar.ending, desk.calendar.ending_url
    for column in desk.chart:
        yield column.received.number, column.received.url
        yield column.stopped.number, column.stopped.url


@pytest.mark.parametrize("letters", [None, ["SH"], ["BJ"]], ids=["all", "SH", "BJ"])
@pytest.mark.whole
def test_every_number_leads_to_a_list_of_so_many(member, busy, letters):
    make.OrderFactory(attribution_id="SH", received_at=timezone.now(), biz_start=timezone.localdate() + DAY)
    staff = member("工程师", letters=letters)
    told = list(dict.fromkeys(numbers_of(desk_of(staff.person))))
    assert letters == ["SH"] or sum(number for number, _url in told) > 30
    assert [(unrendered(staff.person, url).context_data["cl"].result_count, url) for _number, url in told] == told


def test_a_busy_desk_tells_what_status_finds_wrong_and_every_number_is_a_link(member, busy):
    """The orders that need somebody are the same that `stuck` finds. Customers who are served but not billed come
    first.
    """
    staff, found = member("工程师"), desk_status(timezone.now())
    answer = staff.get(INDEX)
    desk, text = answer.context["desk"], answer.text
    links = text.replace("&amp;", "&")
    assert [url for number, url in numbers_of(desk) if number and f'href="{url}"' not in links] == []
    books = found["differences"]
    assert (desk.differences.number, desk.unbilled.number) == (books["open"], books["unbilled"]) == (5, 1)
    assert "没有话单" in text
    assert len(desk.incidents) == found["incidents"]["open"]
    assert [row.key for row in desk.partners if row.shut] == [row["partner"] for row in found["breakers"]]
    assert desk.late.keys() == {name for name, age in found["oldest_due"].items() if age > LATE}
    problems = [problem.url for problem in desk.problems]
    assert "needs=unbilled" in problems[0]  # customers who are served but not billed come first
    # then late steps, circuit breaker, differences, incident, start days, stuck orders, conflicts
    assert len(problems) == 8
    url = next(url for url in problems if "needs=somebody" in url)
    listed = {order.number for order in unrendered(staff.person, url).context_data["cl"].result_list}
    assert listed == {row.number for row in stuck() if row.state != "unknown"}
    assert desk.needing == desk.alone == len(listed)
    rows = desk.work[-1].rows
    assert [row.urgency for row in rows] == sorted(row.urgency for row in rows)
    assert "已服务未计费" in rows[0].chip
    assert text.index(f">{rows[0].text}<") < text.index(f">{rows[1].text}<")
    tops = [int(y) for y in re.findall(r'<rect[^>]* y="(-?\d+)"', text)]
    assert tops
    assert all(14 <= y < 114 for y in tops)  # the bars stay inside the chart


@pytest.mark.parametrize("role", ["业务人员", "工程师", "审计员", "管理员"])
def test_at_most_twenty_three_queries(member, busy, django_assert_max_num_queries, role):
    staff = member(role, letters=["BJ"])
    # Three of the queries depend on the state: one because steps are late, one for those who keep the contacts, and
    # one while a partner does not answer. The last one finds the roles that may make test calls, for those who may
    # not.
    with django_assert_max_num_queries(23):
        staff.get(INDEX)


def test_a_notice_that_was_given_up_is_named_until_it_is_sent_again(member):
    row = make.MailFactory(order=None, kind="notice_alarm", state="failed", written_at=timezone.now())
    [problem] = desk_of(member("工程师").person).problems[-1:]
    url = reverse("admin:notifications_mail_changelist") + "?state=failed&kind=staff"
    assert (problem.number, problem.url) == (1, url)
    assert desk_of(member("业务人员").person).notices is None
    type(row).objects.update(state="done")
    assert problem.label not in member("工程师").get(INDEX).text


def test_without_rights_there_are_no_numbers(busy):
    desk = desk_of(make.UserFactory())
    assert (desk.kinds, desk.incidents, desk.partners, desk.worker, desk.problems) == (None, None, None, None, [])


def test_an_order_that_two_incidents_stopped_is_one_stopped_order(member):
    order, now = make.OrderFactory(received_at=timezone.now()), timezone.now()
    for _ in range(2):
        make.AffectedOrderFactory(order=order, since=now)
    assert desk_of(member("工程师").person).chart[-1].stopped.number == 1


def test_a_quiet_desk_says_so_and_steps_that_are_late_keep_the_day_from_being_all_right(member):
    """Late steps show as a problem even if a worker lives, as in `status`, because a worker may live and send nothing.
    Steps are not late because of a pause that has just ended.
    """
    make.HeartbeatFactory(seen_at=timezone.now())
    quiet = member("工程师").get(INDEX)
    assert (quiet.context["desk"].problems, "problem-green" in quiet.text) == ([], True)
    late = timezone.now() - datetime.timedelta(minutes=10)
    make.DispatchFactory(order=make.TrialFactory(), state="due", next_try_at=late)
    for role in ("业务人员", "工程师"):
        [problem] = desk_of(member(role).person).problems
        assert problem.label == "大数据侧：最早的步骤已到期 10 分钟未发送"
        assert (problem.number, problem.tone) == (1, "red")
    make.BpmDispatchFactory(order=make.TrialFactory(), next_try_at=late)
    over = timezone.now() - datetime.timedelta(seconds=5)
    make.PauseFactory(since=timezone.now() - DAY, resumed_at=over)
    # the desk has not noted its end yet
    make.PauseFactory(partner="bpm", since=timezone.now() - DAY, until=over, resumed_at=None)
    assert desk_of(member("业务人员").person).problems == []


def test_what_is_mine_is_mine_since_it_was_taken(member):
    """A row that I took shows the time when I took it. The order may have got its state days before."""
    staff, now = member("业务人员"), timezone.now()
    order = make.OrderFactory(state=S.FAILED, state_since=now - 5 * DAY, owner=staff.person, owner_since=now - DAY)
    [block] = desk_of(staff.person).work
    assert [(row.text, row.since) for row in block.rows] == [(order.number, now - DAY)]


def test_the_first_sentence_says_whether_something_is_for_me_and_what_is_mine_comes_before_what_is_nobodys(member):
    """Within my rows and within those without an owner, the most urgent comes first. An order that an incident stops
    is named only by its cause.
    """
    make.HeartbeatFactory(seen_at=timezone.now())
    staff, now = member("业务人员"), timezone.now()
    assert "一切正常" in desk_of(staff.person).answer.label
    make.OrderFactory(state=S.FAILED, received_at=now - DAY)
    stopped = make.AffectedOrderFactory(order=make.OrderFactory(state=S.FAILED, received_at=now)).order
    answer = desk_of(staff.person).answer
    assert (answer.label, answer.number) == ("没有等您处理的事项，另有 2 笔订单无人处理", 2)
    assert unrendered(staff.person, answer.url).context_data["cl"].result_count == 2
    own = {"owner": staff.person, "owner_since": now}
    held = make.OrderFactory(state=S.HELD, held_because="files", received_at=now - 9 * DAY, **own)
    failed = make.OrderFactory(state=S.FAILED, received_at=now, **own)
    page = staff.get(INDEX)
    mine, nobodys = page.context["desk"].work
    assert [row.text for row in mine.rows] == [failed.number, held.number]
    assert page.context["desk"].answer.label == "有 2 项等您处理"
    places = [
        page.text.index(text) for text in ("有 2 项等您处理", "笔订单需要人工处理", failed.number, nobodys.rows[0].text)
    ]
    assert places == sorted(places)
    assert stopped.number not in page.text
    assert [row.stopped and row.stopped.number for row in nobodys.rows] == [1, None]


def test_a_desk_where_orders_await_approval_is_not_green(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    now = timezone.now()
    make.OrderFactory(state=S.AWAITING_APPROVAL, biz_start=timezone.localdate(now), state_since=now, received_at=now)
    page = member("业务人员").get(INDEX)
    assert (page.context["desk"].problems, "problem-green" in page.text) == ([], False)
    assert "1 单等待审批，没有其他待处理事项" in page.text


def test_the_same_cause_at_two_steps_names_both_and_what_is_zero_stands_in_one_line(member):
    for step in ("startOrderNotice", "batchDomainAdd"):
        make.AffectedOrderFactory(incident=make.IncidentFactory(step=step))
    page = member("工程师").get(INDEX)
    causes = [row for row in page.context["desk"].work[-1].rows if row.stopped]
    assert len({row.more for row in causes}) == 2
    assert all(page.text.count(row.more) == 1 for row in causes)
    assert [row.number for row in page.context["desk"].zero] == [0] * 4
    assert "late-h" not in page.text


def test_attributions_without_an_sa_keep_the_day_from_being_all_right(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    keeper = member("管理员")
    [problem] = desk_of(keeper.person).problems
    assert (problem.number, problem.tone, problem.label) == (33, "amber", "33 个归属没有 SA，其邮件发给默认联系人")
    assert unrendered(keeper.person, problem.url).status_code == 200
    assert "problem-green" not in keeper.get(INDEX).text


def test_a_step_that_is_tried_in_vain_keeps_the_day_from_being_all_right(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    first, later = timezone.now() - datetime.timedelta(hours=2), timezone.now() + datetime.timedelta(hours=1)
    make.DispatchFactory(
        order=make.TrialFactory(), state="retrying", frozen_at=first, next_try_at=later, tries_left=2, attempts=4
    )
    staff = member("业务人员")
    [problem] = desk_of(staff.person).problems
    assert problem.label == "大数据侧：有步骤重试了 2 小时仍未成功"
    assert unrendered(staff.person, problem.url).context_data["cl"].result_count == 1


def test_who_sees_nothing_is_told_so_and_who_can_change_it(member):
    """An account that sees no orders is told so. It never reads that all is well or that there are no orders."""
    make.OrderFactory(state=S.FAILED, attribution_id="BJ")
    blind = member("业务人员", letters=[])
    for url in ("admin:index", "admin:orders_order_changelist", "admin:orders_incident_changelist", "admin:find"):
        text = blind.get(reverse(url), {"q": "100A"} if url == "admin:find" else {}).content.decode()
        assert str(BLIND) in text, url
        assert "没有待处理事项" not in text
    assert str(BLIND) in blind.get(reverse("admin:find"), {"q": "100A", "part": ""}).content.decode()
    without_role = member().get(INDEX).text
    assert "没有待处理事项" not in without_role
    assert "管理员" in without_role
    make.HeartbeatFactory(seen_at=timezone.now())
    assert "没有待处理事项" in member("业务人员", letters=["SH"]).get(INDEX).text
