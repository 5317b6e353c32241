"""Mails to each person about what waits: a digest once a workday, and at most every 15 minutes a mail about what
turned red and has no owner.
"""

import datetime

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from notifications.models import Mail
from orders.models import Order
from orders.office.digest import service
from orders.office.digest.models import RedWatch
from orders.outbox.enqueue import WAKE_KEY
from project.models import User
from tests import factories as make
from tests.conftest import shanghai
from tests.mails import send_mails
from tests.office.scheduling import colleague

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]
S = Order.State
THURSDAY = "2023-09-21 08:30:00"
OLD = "2023-09-11 09:00:00"


def write():
    """Writes the digests and the mails about what turned red, as the sweep does."""
    service.write_digests(now=timezone.now())
    service.write_red(now=timezone.now())


def sweep():
    """Runs the sweep, and then the drain (the task that sends due steps and mails) that the sweep has queued for its
    mails.
    """
    tasks.sweep()
    assert OrmQ.objects.filter(key=WAKE_KEY).exists()
    tasks.drain()


def write_and_send():
    write()
    send_mails()


@pytest.fixture
def at(clock):
    """Returns a function. `at("2023-09-21 08:30:00")` returns the mails that are written and sent at that moment, as
    [(to, subject, text)].
    """

    def look(moment, does=write_and_send):
        clock.move_to(shanghai(moment))
        mail.outbox.clear()
        does()
        return [(one.to[0], one.subject, one.body) for one in mail.outbox if "【IBS" in one.subject]

    return look


def held(number, since=OLD, **more):
    about = {"state": S.HELD, "held_because": Order.Held.FILES, "state_since": shanghai(since)}
    return make.OrderFactory(number=number, **about | more)


def failed(number, since, **more):
    return make.OrderFactory(number=number, state=S.FAILED, state_since=shanghai(since), **more)


def told(mails):
    return sorted(to for to, _subject, _text in mails)


def test_one_mail_a_workday_says_what_waits(at):
    user = colleague("li@example.com")
    held("MINE", owner=user)
    held("NOBODY")
    held("THEIRS", owner=colleague("zhao@example.com", digest=False))
    [(to, subject, text)] = at(THURSDAY, sweep)
    assert (to, subject) == ("li@example.com", "【IBS 订单台】2023-09-21 待办：我的 1，无人处理 1，超时 3")
    mine, nobodys, late = (text.index(word) for word in ("我负责的: 1", "无人处理: 1", "超时: 3"))
    assert mine < text.index("MINE") < nobodys < text.index("NOBODY") < late < text.rindex("THEIRS")
    assert f"https://desk.example.com{reverse('admin:orders_order_change', args=[Order.objects.first().pk])}" in text
    assert "北京示例科技" not in text
    assert at("2023-09-21 08:31:00") == at("2023-09-21 08:30:00") == []
    assert told(at("2023-09-22 08:30:00")) == ["li@example.com"]


@pytest.mark.parametrize(
    "moment, sent",
    [
        ("2023-09-21 08:29:59", 0),
        ("2023-09-21 11:59:00", 1),  # later, as if the worker had been down
        ("2023-09-21 12:00:00", 0),
        ("2023-09-23 09:00:00", 0),  # a Saturday
        ("2023-09-29 09:00:00", 0),  # a holiday that was entered in the calendar
        ("2023-10-02 09:00:00", 1),  # a holiday that nobody entered
    ],
)
def test_it_is_written_from_half_past_eight_until_noon_of_a_workday(at, moment, sent):
    make.CalendarDayFactory(day=datetime.date(2023, 9, 29))
    colleague()
    held("A1")
    assert len(at(moment)) == sent


def test_who_gets_one(at, member):
    held("A1")
    for mails, facts in {
        "clerk": {},
        "engineer": {"role": "工程师"},
        "approver": {"role": "审批主管"},
        "wants": {"role": "管理员", "digest": True},
        "audits": {"role": "审计员"},
        "off": {"digest": False},
        "gone": {"is_active": False},
        "no-desk": {"is_staff": False},
        "nothing": {"role": "nobody"},
        "elsewhere": {"letters": ["SH"]},
    }.items():
        colleague(f"{mails}@example.com", **facts)
    colleague("")
    assert told(at(THURSDAY)) == [f"{name}@example.com" for name in ("approver", "clerk", "engineer", "wants")]


def test_a_limited_person_reads_of_their_own_attributions(at):
    colleague(letters=["SH"])
    held("B1")
    held("S1", attribution_id="SH")
    make.AffectedOrderFactory(order=Order.objects.get(number="B1"))
    [(_to, _subject, text)] = at(THURSDAY)
    assert ("S1" in text, "B1" in text, "无人处理: 1" in text) == (True, False, True)


def test_a_hundred_late_orders_are_one_mail_that_names_the_oldest(at):
    colleague()
    for n in range(100):
        held(f"A{n:03}", since=f"2023-09-11 09:{n % 60:02}:00")
    [(_to, subject, text)] = at(THURSDAY)
    assert "超时 100" in subject
    assert ("A000" in text, "A099" in text, text.count("\n") < 40) == (True, False, True)


@pytest.mark.whole
def test_many_late_orders_at_once_are_one_mail_a_person_and_no_more_queries(clock):
    """Each person gets one mail about two thousand late orders, and the number of queries stays the same.
    tests/database/test_list_plans.py checks that each part uses an index.
    """
    for name in ("li", "zhao"):
        colleague(f"{name}@example.com")
    held("FIRST", since="2023-09-11 08:00:00")
    held("SECOND")
    few = queries_of_digests(clock, THURSDAY)
    multiply(Order.objects.get(number="SECOND"), 2000)
    assert queries_of_digests(clock, "2023-09-22 08:30:00") <= few
    send_mails()
    for name in ("li", "zhao"):
        [one] = [row for row in mail.outbox if row.to == [f"{name}@example.com"]]
        assert "无人处理 2002，超时 2002" in one.subject
        assert ("FIRST" in one.body, one.body.count("COPY") < 20, one.body.count("\n") < 40) == (True, True, True)


def multiply(order, number):
    """Makes `number` copies of the order."""
    values = {field.attname: getattr(order, field.attname) for field in Order._meta.concrete_fields}
    rows = [values | {"id": None, "number": f"COPY{n}"} for n in range(number)]
    Order.objects.bulk_create(Order(**row) for row in rows)


def queries_of_digests(clock, moment):
    clock.move_to(shanghai(moment))
    with CaptureQueriesContext(connection) as captured:
        assert service.write_digests(now=timezone.now()) == 2
    return len(captured)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": False},
        {"is_active": False},
        {"limited": True},
        {"email": "other@example.com"},
        {"groups": []},
        {"later": "2023-09-21 12:00:00"},
    ],
)
def test_what_changes_before_it_is_sent_drops_it(at, clock, change):
    user = colleague()
    held("A1")
    at(THURSDAY, write)
    assert Mail.objects.exists()
    if "groups" in change:
        user.groups.clear()
    elif "later" in change:
        clock.move_to(shanghai(change["later"]))
    else:
        User.objects.filter(pk=user.pk).update(**change)
    write_and_send()
    assert mail.outbox == []


def test_what_turns_red_and_is_nobodys_is_told_at_most_once_in_15_minutes(at):
    user = colleague(role="工程师")
    failed("BEFORE", "2023-09-20 14:00:00")
    assert at("2023-09-20 15:00:00") == []  # mails are written only about what turns red from now on
    failed("A1", "2023-09-20 15:01:00")
    failed("OWNED", "2023-09-20 15:01:00", owner=user)
    held("A2", since="2023-09-18 15:01:00")  # reaches twice its limit at 15:01
    [(to, subject, text)] = at("2023-09-20 15:05:00", sweep)
    assert (to, subject) == ("li@example.com", "【IBS 订单台】2 项变为红色，且无人处理")
    assert ("A1" in text, "A2" in text, "OWNED" in text, "BEFORE" in text) == (True, True, False, False)
    failed("A3", "2023-09-20 15:10:00")
    assert at("2023-09-20 15:14:00") == []
    failed("A4", "2023-09-20 15:17:00")
    [(_to, _subject, text)] = at("2023-09-20 15:21:00")
    assert ("A1" in text, "A3" in text, "A4" in text) == (False, True, True)
    assert at("2023-09-20 15:50:00") == []


def test_who_wants_these_mails_again_is_told_of_what_comes_from_then_on(at):
    user = colleague()
    at("2023-09-20 15:00:00")
    User.objects.filter(pk=user.pk).update(digest=False)
    failed("MEANWHILE", "2023-09-20 15:30:00")
    assert at("2023-09-20 16:00:00") == []
    User.objects.filter(pk=user.pk).update(digest=True)
    assert at("2023-09-20 16:30:00") == []
    failed("LATER", "2023-09-20 16:31:00")
    [(_to, _subject, text)] = at("2023-09-20 16:35:00")
    assert ("MEANWHILE" in text, "LATER" in text) == (False, True)


def test_one_that_was_written_before_the_limits_changed_is_dropped_beside_a_newer_one(at):
    user = colleague(letters=["SH"])
    at("2023-09-20 15:00:00", write)
    failed("OF-SH", "2023-09-20 15:01:00", attribution_id="SH")
    at("2023-09-20 15:05:00", write)
    user.attributions.set(["BJ"])
    failed("OF-BJ", "2023-09-20 15:20:00", attribution_id="BJ")
    at("2023-09-20 15:25:00", write)
    [(_to, _subject, text)] = at("2023-09-20 15:26:00")
    assert ("OF-SH" in text, "OF-BJ" in text) == (False, True)


@pytest.mark.parametrize("kind, moment", [("digest", THURSDAY), ("red", "2023-09-20 15:05:00")])
def test_a_person_for_whom_it_goes_wrong_keeps_no_mail_from_others(at, monkeypatch, kind, moment):
    first = colleague("first@example.com")
    colleague("second@example.com")
    at("2023-09-20 15:00:00")
    failed("A1", "2023-09-20 15:01:00")
    name = f"{kind}_facts"
    real = getattr(service, name)

    def facts(user, **more):
        if user == first:
            raise ZeroDivisionError
        return real(user, **more)

    monkeypatch.setattr(service, name, facts)
    with pytest.raises(ZeroDivisionError):
        at(moment)
    written = Mail.objects.filter(kind=f"notice_{kind}").values_list("addressee", flat=True)
    assert list(written) == ["second@example.com"]


def test_a_clock_that_steps_back_over_a_limit_mails_nobody_twice(at):
    colleague()
    at("2023-09-20 14:00:00")
    held("A1", since="2023-09-18 15:00:00")
    assert len(at("2023-09-20 15:05:00")) == 1
    for moment in ("2023-09-20 14:30:00", "2023-09-20 15:03:00", "2023-09-20 15:25:00", "2023-09-20 16:00:00"):
        assert at(moment) == []


def test_a_clock_that_stood_years_ahead_silences_nobody(at):
    colleague()
    for moment in ("2031-09-20 15:00:00", "2023-09-20 15:00:00"):
        assert at(moment) == []
    failed("A1", "2023-09-20 15:01:00")
    assert len(at("2023-09-20 15:05:00")) == 1


def test_an_incident_that_nobody_has_is_told_and_one_of_a_hold_is_not(at):
    colleague(role="工程师")
    colleague("sh@example.com", letters=["SH"])
    at("2023-09-20 15:00:00")
    about = {"first_at": shanghai("2023-09-20 15:01:00")}
    make.AffectedOrderFactory(incident=make.IncidentFactory(code="code_400", **about), order=make.OrderFactory())
    make.IncidentFactory(partner="order", code=Order.Held.TRIAL_UNKNOWN, **about)
    [(to, subject, _text)] = at("2023-09-20 15:05:00")
    assert (to, subject) == ("li@example.com", "【IBS 订单台】1 项变为红色，且无人处理")


def away(mails, deputy=None, first=datetime.date(2023, 9, 18), last=datetime.date(2023, 9, 29), **more):
    return colleague(mails, away_from=first, away_until=last, deputy=deputy, digest=False, **more)


ABSENT = {
    "nobody": (lambda: None, False),
    "a deputy": (lambda: colleague("d@example.com", letters=["BJ"]), True),
    "a disabled one": (lambda: colleague("d@example.com", is_active=False), False),
    "one who is away too": (lambda: away("d@example.com"), False),
    "one of another attribution": (lambda: colleague("d@example.com", letters=["SH"]), False),
    "one without the right": (lambda: colleague("d@example.com", role="审计员"), False),
}
"""Who stands in for somebody who is away, and whether they can act."""
LEAVES = {"to come": {"first": datetime.date(2023, 9, 22)}, "over": {"last": datetime.date(2023, 9, 19)}}


@pytest.mark.parametrize("kind", [*ABSENT, *LEAVES])
def test_what_is_with_somebody_who_is_away_is_nobodys_unless_a_deputy_can_act(at, kind):
    reader, (deputy, cared_for) = colleague(role="工程师"), ABSENT.get(kind, (lambda: None, True))
    owner = away("x@example.com", deputy(), **LEAVES.get(kind, {}))
    at("2023-09-20 15:00:00")
    order = failed("RED", "2023-09-20 15:01:00", owner=owner)
    about = {"first_at": shanghai("2023-09-20 15:01:00"), "owner": owner}
    make.AffectedOrderFactory(incident=make.IncidentFactory(code="code_400", **about), order=order)
    make.DifferenceFactory(order=order, owner=owner)
    red = [text for to, _subject, text in at("2023-09-20 15:05:00") if to == reader.email]
    assert [("RED" in text, text.count("https://desk") > 2) for text in red] == ([] if cared_for else [(True, True)])
    digest = [subject for to, subject, _text in at(THURSDAY) if to == reader.email]
    waits = [] if cared_for else ["【IBS 订单台】2023-09-21 待办：我的 0，无人处理 3，超时 0"]
    assert digest == waits
    assert make.fresh(order).owner == owner


def test_who_is_away_is_not_told_that_nobody_has_their_own(at):
    owner = away("x@example.com")
    User.objects.filter(pk=owner.pk).update(digest=True)
    at("2023-09-20 15:00:00")
    failed("RED", "2023-09-20 15:01:00", owner=owner)
    assert at("2023-09-20 15:05:00") == []
    [(_to, subject, _text)] = at(THURSDAY)
    assert "我的 1，无人处理 0" in subject


def test_a_deputy_s_digest_names_what_they_see_of_who_is_away(at):
    deputy = colleague("d@example.com", letters=["BJ"])
    owner = away("x@example.com", deputy, display_name="李雷")
    held("SEEN", owner=owner, since="2023-09-20 09:00:00")
    held("OTHERS", owner=owner, since="2023-09-20 09:00:00", attribution_id="SH")
    [(to, subject, text)] = at(THURSDAY)
    assert (to, "我的 0，无人处理 0" in subject) == ("d@example.com", True)
    assert ("李雷（离岗至 09-29" in text, "SEEN" in text, "OTHERS" in text) == (True, True, False)
    User.objects.filter(pk=owner.pk).update(away_until=datetime.date(2023, 9, 21))
    [(_to, _subject, text)] = at("2023-09-22 08:30:00")
    assert "李雷" not in text


def asleep(until, **more):
    order = make.OrderFactory(number="A1")  # this order needs nobody without the incident
    return make.AffectedOrderFactory(order=order, incident__asleep_until=shanghai(until), **more).incident


@pytest.mark.parametrize("owned", [True, False], ids=["mine", "nobody's"])
def test_an_incident_that_sleeps_is_left_out_of_the_digest(at, owned):
    user = colleague(role="工程师")
    incident = asleep("2023-09-22 08:00:00", incident__owner=user if owned else None)
    [(_to, subject, text)] = at(THURSDAY)  # the order needs somebody even so
    assert f"/incident/{incident.pk}/" not in text
    assert ("我的 0" in subject, "A1" in text) == (True, True)
    [(_to, subject, text)] = at("2023-09-22 08:30:00")
    assert f"/incident/{incident.pk}/" in text


def test_an_incident_that_sleeps_is_no_red_mail_until_it_wakes(at):
    colleague(role="工程师")
    at("2023-09-20 15:00:00")
    incident = asleep("2023-09-20 18:00:00", incident__first_at=shanghai("2023-09-20 15:01:00"))
    assert at("2023-09-20 15:05:00") == []
    failed("A2", "2023-09-20 16:00:00")
    # from here on, everything that turned red before 16:05 counts as reported
    [(_to, subject, text)] = at("2023-09-20 16:05:00")
    assert (subject, "/incident/" in text) == ("【IBS 订单台】1 项变为红色，且无人处理", False)
    assert at("2023-09-20 17:59:00") == at("2023-09-20 18:01:00", tasks.sweep) == []
    [(_to, subject, text)] = at("2023-09-20 18:05:00")
    assert (subject, f"/incident/{incident.pk}/" in text) == ("【IBS 订单台】1 项变为红色，且无人处理", True)


def test_two_sweeps_at_once_write_one_mail(at, monkeypatch):
    colleague()
    at("2023-09-20 15:00:00")
    failed("A1", "2023-09-20 15:01:00")

    def other_was_quicker(*args, **kwargs):
        RedWatch.objects.update(told_until=shanghai("2023-09-20 15:03:00"))
        return {"number": 1, "lines": ["A1"]}

    monkeypatch.setattr("orders.office.digest.service.red_facts", other_was_quicker)
    assert at("2023-09-20 15:05:00") == []


def test_everybody_switches_their_own_mails(member, at):
    staff = member("业务人员")
    User.objects.filter(pk=staff.person.pk).update(email="me@example.com")
    page = reverse("admin:digest")
    held("A1")
    assert "不再发给我" in staff.get(page).content.decode()
    assert "您不会再收到这些邮件" in staff.post(page, {"mails": "off"}, follow=True).content.decode()
    assert at(THURSDAY) == []
    assert staff.post(page, {"mails": "x"}).status_code == 400
    staff.post(page, {"mails": "on"})
    assert told(at("2023-09-22 08:30:00")) == ["me@example.com"]


def test_a_restored_desk_mails_nobody(at, monkeypatch):
    colleague()
    held("A1")
    monkeypatch.setattr("orders.office.digest.service.read_restore_state", lambda: type("R", (), {"restored": True}))
    assert at(THURSDAY) == []
