"""The dashboard: few queries, and every number leads to a list of exactly that many rows."""

import datetime
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.incidents.stuck import stuck
from orders.lists.scope import BLIND
from orders.models import Difference, Dispatch, Order
from orders.rules.trial_shape import Shape
from orders.trials.shape_writes import keep_shape
from project.observability.alarm_reasons import LATE
from project.observability.status_report import desk_status
from tests import factories as make
from tests.admin.walking import desk_of, unrendered

pytestmark = pytest.mark.django_db
S, DAY = Order.State, datetime.timedelta(days=1)
INDEX = reverse("admin:index")


@pytest.fixture
def busy():
    """A desk with something in every block."""
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
    for ahead, end in ((0, 2), (6, 9), (7, 9)):  # the last day, and what the trial's own message said
        trial = make.TrialFactory(state=S.TRIALING, received_at=now, biz_end=today + end * DAY)
        keep_shape(trial, Shape(end=today + ahead * DAY))


def numbers_of(desk):
    """Every number of the page that counts rows of a list, with its address."""
    for row in desk.kinds:
        yield row.total.number, row.total.url
        yield from ((state.number, state.url) for state in row.states)
    yield from ((row.number, row.url) for row in desk.needing)
    yield from ((row.number, row.url) for row in (desk.differences, desk.approvals, desk.conflicts))
    yield from ((row.number, row.url) for row in (desk.unbilled, desk.returned))
    yield from ((worry.number, worry.url) for worry in desk.worries if "needs=somebody" in worry.url)
    yield len(desk.incidents), desk.incidents_url
    yield from ((incident.still, incident.url) for incident in desk.incidents)
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
    """Differences tell since when, and who is not billed first; those who need somebody are those of `stuck`."""
    staff, found = member("工程师"), desk_status(timezone.now())
    answer = staff.get(INDEX)
    desk, text = answer.context["desk"], answer.text
    links = text.replace("&amp;", "&")
    assert [url for number, url in numbers_of(desk) if number and f'href="{url}"' not in links] == []
    books = found["differences"]
    assert (desk.differences.number, desk.unbilled.number) == (books["open"], books["unbilled"]) == (5, 1)
    assert desk.differences.since == min(Difference.objects.filter(state="open").values_list("found_at", flat=True))
    assert [row.urgent for row in desk.differences.rows] == [True, False]
    assert text.index(desk.differences.rows[0].number) < text.index(desk.differences.rows[1].number)
    assert "没有话单" in text
    assert len(desk.incidents) == found["incidents"]["open"]
    assert [row.key for row in desk.partners if row.shut] == [row["partner"] for row in found["breakers"]]
    assert desk.late.keys() == {name for name, age in found["oldest_due"].items() if age > LATE}
    worries = [worry.url for worry in desk.worries]
    assert "needs=unbilled" in worries[0]  # customers who are served and not billed come first
    assert len(worries) == 8  # then late steps, breaker, differences, incident, start days, stuck orders, conflicts
    url = next(url for url in worries if "needs=somebody" in url)
    listed = {order.number for order in unrendered(staff.person, url).context_data["cl"].result_list}
    assert listed == {row.number for row in stuck() if row.state != "unknown"}
    assert sum(row.number for row in desk.needing) == len(listed)
    tops = [int(y) for y in re.findall(r'<rect[^>]* y="(-?\d+)"', text)]
    assert tops
    assert all(14 <= y < 114 for y in tops)  # the bars stay inside the chart


@pytest.mark.parametrize("role", ["业务人员", "工程师", "审计员", "管理员"])
def test_at_most_twenty_two_queries(member, busy, django_assert_max_num_queries, role):
    staff = member(role, letters=["BJ"])
    # one of them since steps are late, one for those who keep the contacts, one while a partner does not answer for
    # those who may make no test call: the roles that may
    with django_assert_max_num_queries(22):
        staff.get(INDEX)


def test_a_notice_that_was_given_up_is_named_until_it_is_sent_again(member):
    row = make.MailFactory(order=None, kind="notice_alarm", state="failed", written_at=timezone.now())
    [worry] = desk_of(member("工程师").person).worries[-1:]
    assert (worry.number, worry.url) == (1, reverse("admin:notifications_mail_changelist") + "?state=failed&kind=staff")
    assert desk_of(member("业务人员").person).notices is None
    type(row).objects.update(state="done")
    assert worry.label not in member("工程师").get(INDEX).text


def test_without_rights_there_are_no_numbers(busy):
    desk = desk_of(make.UserFactory())
    assert (desk.kinds, desk.incidents, desk.partners, desk.worker, desk.worries) == (None, None, None, None, [])


def test_an_order_that_two_incidents_stopped_is_one_stopped_order(member):
    order, now = make.OrderFactory(received_at=timezone.now()), timezone.now()
    for _ in range(2):
        make.AffectedOrderFactory(order=order, since=now)
    assert desk_of(member("工程师").person).chart[-1].stopped.number == 1


def test_a_quiet_desk_says_so_and_steps_that_are_late_keep_the_day_from_being_all_right(member):
    """As `status` says it: a worker may live and send nothing. A pause that is over makes nothing late."""
    make.HeartbeatFactory(seen_at=timezone.now())
    quiet = member("工程师").get(INDEX)
    assert (quiet.context["desk"].worries, "worry-green" in quiet.text) == ([], True)
    late = timezone.now() - datetime.timedelta(minutes=10)
    make.DispatchFactory(order=make.TrialFactory(), state="due", next_try_at=late)
    for role in ("业务人员", "工程师"):
        [worry] = desk_of(member(role).person).worries
        assert worry.label == "大数据侧：最早的步骤已到期 10 分钟未发送"
        assert (worry.number, worry.tone) == (1, "red")
    make.BpmDispatchFactory(order=make.TrialFactory(), next_try_at=late)
    over = timezone.now() - datetime.timedelta(seconds=5)
    make.PauseFactory(since=timezone.now() - DAY, resumed_at=over)
    make.PauseFactory(partner="bpm", since=timezone.now() - DAY, until=over, resumed_at=None)  # not noted yet
    assert desk_of(member("业务人员").person).worries == []


def test_what_is_mine_is_mine_since_it_was_taken(member):
    """Not since it got its state: that may be days before."""
    staff, now = member("业务人员"), timezone.now()
    order = make.OrderFactory(state=S.FAILED, state_since=now - 5 * DAY, owner=staff.person, owner_since=now - DAY)
    [block] = desk_of(staff.person).mine
    assert [(row.text, row.since) for row in block.rows] == [(order.number, now - DAY)]


def test_a_desk_where_orders_await_approval_is_not_green(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    now = timezone.now()
    make.OrderFactory(state=S.AWAITING_APPROVAL, biz_start=timezone.localdate(now), state_since=now, received_at=now)
    page = member("业务人员").get(INDEX)
    assert (page.context["desk"].worries, "worry-green" in page.text) == ([], False)
    assert "1 单等待审批，没有其他待处理事项" in page.text


def test_the_same_cause_at_two_steps_names_both_and_what_is_zero_stands_in_one_line(member):
    for step in ("startOrderNotice", "batchDomainAdd"):
        make.AffectedOrderFactory(incident=make.IncidentFactory(step=step))
    page = member("工程师").get(INDEX)
    assert len({incident.where for incident in page.context["desk"].incidents}) == 2
    assert all(incident.where in page.text for incident in page.context["desk"].incidents)
    assert [row.number for row in page.context["desk"].zero] == [0, 0, 0]
    assert "late-h" not in page.text


def test_attributions_without_an_sa_keep_the_day_from_being_all_right(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    keeper = member("管理员")
    [worry] = desk_of(keeper.person).worries
    assert (worry.number, worry.tone, worry.label) == (33, "amber", "33 个归属没有 SA，其邮件发给默认联系人")
    assert unrendered(keeper.person, worry.url).status_code == 200
    assert "worry-green" not in keeper.get(INDEX).text


def test_a_step_that_is_tried_in_vain_keeps_the_day_from_being_all_right(member):
    make.HeartbeatFactory(seen_at=timezone.now())
    first, later = timezone.now() - datetime.timedelta(hours=2), timezone.now() + datetime.timedelta(hours=1)
    make.DispatchFactory(
        order=make.TrialFactory(), state="retrying", frozen_at=first, next_try_at=later, tries_left=2, attempts=4
    )
    staff = member("业务人员")
    [worry] = desk_of(staff.person).worries
    assert worry.label == "大数据侧：有步骤重试了 2 小时仍未成功"
    assert unrendered(staff.person, worry.url).context_data["cl"].result_count == 1


def test_who_sees_nothing_is_told_so_and_who_can_change_it(member):
    """Nobody who sees no order hears that all is well, or that there are none."""
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
