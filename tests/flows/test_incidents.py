"""One incident for each cause, with one mail when the incident opens and one when it closes (contract 3.5, 3.9
Mail)."""

import contextlib
import threading

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from notifications.models import Mail
from orders.incidents import incidents
from orders.incidents.incident_codes import BOOKS_ONLY
from orders.incidents.incident_handling import ignore_incident, note_incident, resolve_incident
from orders.incidents.incidents import close_troubles, common_words, lock_incidents, open_incident
from orders.models import AffectedOrder, Incident, Order, OrderEvent
from orders.people.ownership import set_owner
from orders.texts.errors import NotAllowedError
from tests.bboss.conftest import TRIAL
from tests.bboss_messages import post_order
from tests.factories import NOW, AffectedOrderFactory, OrderFactory, UserFactory
from tests.flows import contents
from tests.races.conftest import at_once, meanwhile

BILLING = "/bigdata/productInfos"
CAUSE = {"partner": "bigdata", "step": "create_trial_billing", "code": "code_400"}
BY = "staff:lisi"


def refuse(desk, *numbers: str, message: str = "域名未备案"):
    """Posts trials whose records the big-data side refuses."""
    desk.sandbox.fault(path=BILLING, kind="refusal", count=len(numbers), code=400, message=message)
    for number in numbers:
        desk.post(TRIAL | {"OrderNum": number})
    desk.deliver()


def resend(desk, *numbers: str):
    desk.command("resend", *numbers)


def subjects() -> list[str]:
    return [message.subject.split("：")[0] for message in mail.outbox]


def test_a_second_cause_of_an_order_within_a_minute_is_mailed_through_the_next_order(desk):
    """An order's first cause is mailed, and its page shows both causes. The second cause within a minute is mailed
    only through another order that it stops."""
    first, second = OrderFactory(number="100T1"), OrderFactory(number="100T2")
    now = timezone.now()
    for order, code in ((first, "code_400"), (first, "code_401"), (second, "code_401")):
        open_incident(order, partner="bigdata", step="create_billing", code=code, detail=code, now=now)
    told = Mail.objects.filter(kind="mail_incident").order_by("pk").values_list("order__number", "about__code")
    assert list(told) == [("100T1", "code_400"), ("100T2", "code_401")]
    later = now + incidents.SIMILAR_WITHIN
    open_incident(first, partner="bpm", step="start_bpm", code="code_402", detail="x", now=later)
    assert Mail.objects.filter(order=first, kind="mail_incident").count() == 2


def test_a_mail_has_the_partners_words_once_and_without_placeholders(desk):
    refuse(desk, "100T1", message="域名 a.example.com 未备案")
    [sent] = mail.outbox
    assert sent.body.count("未备案") == 1
    assert "#" not in sent.body


@pytest.mark.whole
def test_thirty_orders_with_one_cause(desk):
    numbers = [f"100T{number:02}" for number in range(30)]
    refuse(desk, *numbers)
    incident = Incident.objects.get()
    assert (incident.partner, incident.step, incident.code, incident.state) == (*CAUSE.values(), "open")
    assert (incident.count, incident.affected.filter(closed_at=None).count()) == (30, 30)
    assert (len(mail.outbox), mail.outbox[0].to) == (1, ["desk@example.com"])
    assert "域名未备案" in mail.outbox[0].body

    desk.clock.shift(600)
    resend(desk, *numbers[:-1])
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("open", 1)
    resend(desk, numbers[-1])
    incident.refresh_from_db()
    assert (incident.state, (incident.last_at - incident.first_at).total_seconds()) == ("resolved", 600)
    assert not incident.affected.filter(closed_at=None).exists()
    assert len(mail.outbox) == 2
    assert subjects()[0] != subjects()[1]
    assert "影响订单 30 单" in mail.outbox[1].body
    assert {desk.order(number).state for number in numbers} == {"trialing"}


def test_another_cause_is_another_incident_and_so_is_the_same_after_its_end(desk):
    refuse(desk, "100T1")
    desk.sandbox.fault(path=BILLING, kind="refusal", code=422)
    desk.play(TRIAL | {"OrderNum": "100T2"})
    assert set(Incident.objects.values_list("code", "count")) == {("code_400", 1), ("code_422", 1)}
    assert len(mail.outbox) == 2
    resend(desk, "100T1")
    refuse(desk, "100T3")
    assert list(Incident.objects.filter(code="code_400").order_by("pk").values_list("state", flat=True)) == [
        "resolved",
        "open",
    ]
    assert len(mail.outbox) == 4


def test_the_same_order_failing_again_is_counted_and_not_mailed(desk):
    refuse(desk, "100T1", message="域名 a.example.com 未备案")
    desk.sandbox.fault(path=BILLING, kind="refusal", message="域名 b.example.com 未备案")
    resend(desk, "100T1")
    incident = Incident.objects.get()
    assert (incident.count, incident.affected.count(), len(mail.outbox)) == (2, 1, 1)
    for shown in (incident, incident.affected.get()):
        assert "b.example.com" in shown.detail
        assert "b.example.com" in str(shown.detail_params)


def test_the_same_order_refused_for_another_reason_stands_under_that_one_only(desk):
    refuse(desk, "100T1", "100T2")
    desk.sandbox.fault(path=BILLING, kind="refusal", message="额度不足")
    resend(desk, "100T1")
    assert set(Incident.objects.values_list("words", "state")) == {("域名未备案", "open"), ("额度不足", "open")}
    assert list(desk.order("100T1").troubles.filter(closed_at=None).values_list("incident__words", flat=True)) == [
        "额度不足"
    ]
    desk.sandbox.fault(path=BILLING, kind="refusal", message="额度不足")
    resend(desk, "100T2")
    assert Incident.objects.get(words="域名未备案").state == "resolved"
    assert subjects() == ["【IBS 订单台】需要处理"] * 2


def refused(words: str) -> dict:
    """Returns a partner's refusal in the form in which a client reports it."""
    return {"detail": f"answered: {words}", "params": {"code": "partner_words", "words": words}}


@pytest.mark.whole
def test_a_hundred_refusals_that_name_a_hundred_domains_are_one_incident(db):
    """Refusals that differ only in names, times and numbers share one incident. For each attribution, the solution
    architect (SA) gets one mail when its first order joins and one when all is over."""
    letters = ["BJ", "SH", "GD", "BJ", None]
    orders = [OrderFactory(attribution_id=letters[number % 5]) for number in range(100)]
    for number, order in enumerate(orders):
        said = f'域名 a{number}.example.com 在 09:{number % 60:02} 未备案 ("{order.number}")'
        open_incident(order, **CAUSE, **refused(said), now=NOW)
    incident = Incident.objects.get()
    assert (incident.words, incident.count) == ("域名 # 在 # 未备案 (#)", 100)
    mails = Mail.objects.filter(kind="mail_incident").order_by("pk")
    assert [row.order.attribution_id for row in mails] == ["BJ", "SH", "GD", None]
    for order in orders:
        close_troubles(order, now=NOW, by="test")
    over = Mail.objects.filter(kind="mail_incident_over").order_by("pk")
    assert [(row.order.attribution_id, row.about["orders"]) for row in over] == [
        ("BJ", 40),
        ("SH", 20),
        ("GD", 20),
        (None, 20),
    ]


@pytest.mark.django_db
def test_after_twenty_groups_of_a_code_the_others_are_one():
    for number in range(30):
        words = "额度不足" + "很" * number
        order = OrderFactory(attribution_id="BJ")
        open_incident(order, **CAUSE, **refused(words), now=NOW)
    assert Incident.objects.count() == 21
    assert Incident.objects.get(words="*").affected.count() == 10
    open_incident(OrderFactory(), **CAUSE, **refused("额度不足"), now=NOW)
    assert Incident.objects.get(words="额度不足").count == 2
    open_incident(OrderFactory(), **CAUSE | {"code": "code_422"}, **refused("新"), now=NOW)
    assert Incident.objects.get(code="code_422").words == "新"


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["timeout", "breaker_open", "difference", "acted_before", "trial_unknown", "lost"])
def test_our_own_codes_have_one_incident_whatever_the_detail_says(code):
    for detail in ("no answer (x)", "no answer (y)"):
        open_incident(OrderFactory(), **CAUSE | {"code": code}, detail=detail, now=NOW)
    assert (Incident.objects.get().count, Incident.objects.get().words) == (2, "")


@pytest.mark.parametrize(
    "said, words",
    [
        ("域名 a.example.com 未备案（2023-09-20 18:53:39）", "域名 # 未备案（#）"),
        ("域名a.example.com未备案", "域名#未备案"),
        ("域名 例子.中国 未备案", "域名 # 未备案"),
        ("域名 例子.com 未备案", "域名 # 未备案"),
        ("a.cn、b.cn、c.cn 未备案", "# 未备案"),
        ("order 100A230920170126001 is 'closed' since \"x y\"", "order # is # since #"),
        ("don't, can't", "don't, can't"),
        ("see http://a.cn/x?y=z now", "see # now"),
        ("产品 “标准版” 不存在", "产品 # 不存在"),
        ("产品 “标准", "产品 #"),
        ("金额 12.50 元，第 ３ 次", "金额 # 元，第 # 次"),
        ("ops@example.com 拒收", "# 拒收"),
        ("额度不足。", "额度不足。"),
        ("x" * 500, "x" * 120),
        ("", ""),
    ],
)
def test_what_words_have_in_common(said, words):
    assert common_words(said) == words


def test_a_held_order_has_its_own_mail_and_no_other(desk):
    desk.play(TRIAL | {"OrderNum": "100T1", "EnterpriseID": "000A1"})
    assert Incident.objects.get().partner == "order"
    desk.command("attribute", "100T1", "BJ", reason="客户经理确认")
    assert Incident.objects.get().state == "resolved"
    assert [row.step for row in Mail.objects.all()] == ["mail_held"]


def test_a_mail_that_gets_nowhere_is_told_by_no_mail(desk, settings):
    settings.DEFAULT_CONTACT_MAIL = ""
    refuse(desk, "100T1")
    codes = set(Incident.objects.values_list("partner", "code"))
    assert codes == {("bigdata", "code_400"), ("mail", "no_recipients")}
    assert Mail.objects.all().count() == 1


def test_a_breaker_is_told_at_its_opening_and_its_closing(desk, settings):
    settings.BREAKER_FAILURES = 3
    desk.sandbox.fault(path=BILLING, kind="503", count=3)
    for number in range(3):
        desk.post(TRIAL | {"OrderNum": f"100T{number}"})
    desk.deliver()
    incident = Incident.objects.get(code="breaker_open")
    assert (incident.state, len(mail.outbox)) == ("open", 1)
    with pytest.raises(NotAllowedError, match="still stand"):
        act(resolve_incident, incident, reason="x")
    close_troubles(incident.affected.get().order, now=timezone.now(), by="test")
    desk.deliver(after=120)
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("resolved", 2)  # two mails: the incident opened, and it is over


@pytest.fixture
def incident(desk) -> Incident:
    refuse(desk, "100T1")
    return Incident.objects.get()


def act(service, incident: Incident, **more) -> Incident:
    return service(incident_id=incident.pk, by=BY, now=timezone.now(), **more)


def own(incident: Incident, to, **more) -> Incident:
    set_owner(kind="incident", pk=incident.pk, to=to, by=BY, now=timezone.now(), **more)
    incident.refresh_from_db()
    return incident


def events(kind: str):
    return OrderEvent.objects.filter(kind=kind, actor=BY)


def test_acknowledged_it_still_ends_by_itself_and_is_not_taken_up_again(desk, incident, admin_user):
    own(incident, admin_user, reason="在联系大数据侧")
    refuse(desk, "100T2")
    incident.refresh_from_db()
    assert (incident.state, incident.count, incident.owner) == ("acknowledged", 2, admin_user)
    assert incident.notes.get().text == "在联系大数据侧"
    assert events("incident_handed_over").get().data["incident"] == incident.pk
    resend(desk, "100T1", "100T2")
    incident.refresh_from_db()
    # three mails: the incident opened, it was handed over, and it is over
    assert (incident.state, len(mail.outbox)) == ("resolved", 3)
    for service in (ignore_incident, resolve_incident):
        with pytest.raises(NotAllowedError, match="resolved"):
            act(service, incident, reason="线下处理")
    with pytest.raises(NotAllowedError, match="needs nobody"):
        own(incident, UserFactory(is_superuser=True))
    with pytest.raises(NotAllowedError, match="unknown"):
        set_owner(kind="incident", pk=0, to=admin_user, by=BY, now=NOW)


def test_ignored_it_stays_so_for_its_orders_and_others_open_a_new_one(desk, incident):
    act(ignore_incident, incident, reason="测试客户")
    desk.sandbox.fault(path=BILLING, kind="refusal")
    resend(desk, "100T1")
    incident.refresh_from_db()
    assert (incident.state, incident.count, Incident.objects.count()) == ("ignored", 2, 1)
    refuse(desk, "100T2")
    assert set(Incident.objects.values_list("state", flat=True)) == {"ignored", "open"}
    assert len(mail.outbox) == 2
    resend(desk, "100T1")
    incident.refresh_from_db()
    assert (incident.state, len(mail.outbox)) == ("ignored", 2)


def test_resolved_by_hand_it_stays_for_the_orders_that_still_stand(desk, incident):
    """While orders still stand, an incident can't be resolved for them, and nobody is told that it is over."""
    with pytest.raises(NotAllowedError, match=r"all its orders \(1\) still stand"):
        act(resolve_incident, incident, reason="线下处理")
    AffectedOrderFactory(incident=incident, order=OrderFactory(state="active"))
    assert act(resolve_incident, incident, reason="线下处理").state == "open"
    desk.deliver()
    assert [row.order.number for row in AffectedOrder.objects.unresolved()] == ["100T1"]
    assert (len(mail.outbox), incident.notes.get().text) == (1, "线下处理")
    told = events("incident_resolved_partly").get().data
    assert (told["left"], told["standing"]) == (1, 1)
    resend(desk, "100T1")
    assert "异常已结束，订单继续执行" in mail.outbox[1].body
    incident.refresh_from_db()
    assert incident.state == "resolved"


@pytest.mark.django_db
def test_resolved_by_hand_where_all_have_gone_on_it_is_over_and_mailed():
    trial = OrderFactory(kind="trial", state="trialing", trial_number="")
    order = OrderFactory(state="active", trial=trial)
    incident = open_incident(order, partner="bpm", step="approval", code="second", detail="", now=NOW, beside=trial)
    with pytest.raises(NotAllowedError, match="needs a reason"):
        act(resolve_incident, incident, reason=" ")
    assert act(resolve_incident, incident, reason="以第一次为准").state == "resolved"
    assert not AffectedOrder.objects.unresolved().exists()
    assert Mail.objects.filter(kind="mail_incident_over").count() == 1


@pytest.mark.django_db
def test_a_trial_stays_named_beside_the_orders_that_still_stand():
    gone, kept = (OrderFactory(kind="trial", state="trialing", trial_number="") for _ in range(2))
    orders = [OrderFactory(state=state, trial=trial) for state, trial in (("active", gone), ("failed", kept))]
    for order in orders:
        incident = open_incident(order, **CAUSE, detail="x", now=NOW, beside=order.trial)
    act(resolve_incident, incident, reason="x")
    assert set(AffectedOrder.objects.unresolved().values_list("order", "beside")) == {
        (orders[1].pk, False),
        (kept.pk, True),
    }


@pytest.mark.parametrize(
    "resent, told", [(["100T2"], "继续执行 1 单、已撤单 1 单"), ([], "已撤单 2 单")], ids=["one goes on", "none does"]
)
def test_the_mail_of_an_end_says_go_on_only_of_orders_that_do(desk, resent, told):
    refuse(desk, "100T1", "100T2")
    for number in {"100T1", "100T2"} - {*resent}:
        desk.play(contents.withdrawal(number))
    for number in resent:
        resend(desk, number)
    assert Incident.objects.get().state == "resolved"
    assert told in mail.outbox[-1].body
    assert "无需处理" not in mail.outbox[-1].body


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(BOOKS_ONLY))
def test_what_only_the_books_end_is_neither_resolved_nor_ignored_by_hand(code, admin_user):
    """Contract 3.9 (14): staff can acknowledge such an incident, but only the books or `accept` end it."""
    order = OrderFactory()
    incident = open_incident(order, partner="bigdata", step="", code=code, detail="x", now=NOW)
    for service, act_word in ((resolve_incident, "resolved"), (ignore_incident, "ignored")):
        with pytest.raises(NotAllowedError, match=f"can't be {act_word} by hand: .*, or accept it"):
            act(service, incident, reason="x")
    assert own(incident, admin_user).state == "acknowledged"
    act(note_incident, incident, note="在核对")
    close_troubles(order, code=code, now=NOW, by="test")
    incident.refresh_from_db()
    assert incident.state == "resolved"


def test_notes_are_added_and_owners_change(incident, admin_user):
    act(note_incident, incident, note="第一条")
    act(note_incident, incident, note="第二条")
    own(incident, admin_user)
    assert list(incident.notes.values_list("by", "at", "text")) == [(BY, NOW, "第一条"), (BY, NOW, "第二条")]
    assert (incident.owner, events("incident_noted").count()) == (admin_user, 2)
    with pytest.raises(NotAllowedError):
        act(note_incident, incident, note=" ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
class TestLocks:
    """A transaction that holds the lock of one incident does not delay transactions that need another incident. It
    delays no transaction for ever."""

    HOLD = {"partner": "order", "step": "", "detail": ""}

    def test_an_intake_does_not_wait_for_an_incident_of_a_partner(self, held, desk):
        with held(**CAUSE, detail="x"):
            assert desk.post(TRIAL | {"OrderNum": "100T1", "EnterpriseID": "000A1"})["response"]["rspCode"] == "00000"
        assert Incident.objects.get(code="attribution_unknown").affected.count() == 1

    def test_nor_for_another_hold(self, held, desk):
        with held(**self.HOLD, code="trial_unknown"):
            assert desk.post(TRIAL | {"OrderNum": "100T1", "EnterpriseID": "000A1"})["response"]["rspCode"] == "00000"

    def test_for_its_own_hold_it_waits_only_so_long(self, held, desk, monkeypatch):
        """The intake waits only a limited time for the lock of the incident that it needs. Then BBOSS is told to send
        the order again, and nothing is stored."""
        monkeypatch.setattr(incidents, "LONGEST_WAIT", "200ms")
        order = TRIAL | {"OrderNum": "100T1", "EnterpriseID": "000A1"}
        with held(**self.HOLD, code="attribution_unknown"):
            assert post_order(desk.client, order)["response"]["rspCode"] == "20000"
        assert not Order.objects.filter(number="100T1").exists()
        assert desk.post(order)["response"]["rspCode"] == "00000"

    def test_staff_wait_only_for_what_they_touch(self, held, admin_user):
        other = open_incident(OrderFactory(), **CAUSE | {"partner": "bpm"}, detail="x", now=NOW)
        with held(**CAUSE, detail="x"):
            assert own(other, admin_user).state == "acknowledged"

    @pytest.fixture
    def held(self):
        """Returns a context manager. Inside `with held(**cause):` another transaction has opened this incident and
        does not end."""

        @contextlib.contextmanager
        def holding(**cause):
            order, begun, end = OrderFactory(), threading.Event(), threading.Event()

            def work():
                with transaction.atomic():
                    open_incident(order, **cause, now=NOW)
                    begun.set()
                    end.wait(60)

            with meanwhile(work):
                assert begun.wait(60)
                try:
                    yield
                finally:
                    end.set()

        return holding


@pytest.mark.whole
@pytest.mark.django_db(transaction=True)
def test_two_batches_that_stop_orders_by_several_partners_do_not_wait_in_a_ring():
    """A batch of answers locks all incidents that it opens or closes at once and in a fixed order, so that two batches
    can't deadlock."""
    causes = [("bigdata", "code_400"), ("bpm", "code_422"), ("order", "trial_unknown"), ("order", "claim_held")]

    def work(mine: list[tuple[str, str]]):
        order = OrderFactory()
        for _ in range(20):
            with transaction.atomic():
                lock_incidents(mine)
                for partner, code in mine:
                    open_incident(order, partner=partner, step="", code=code, detail="x", now=NOW)

    at_once(lambda: work(causes), lambda: work(causes[::-1]))
    assert set(Incident.objects.values_list("count", flat=True)) == {40}


@pytest.mark.django_db(transaction=True)
def test_two_workers_open_the_same_incidents_at_once():
    """Each worker opens two incidents in one transaction, and the workers open them in opposite order. Neither worker
    waits for ever, and both incidents count every attempt."""
    first, second = OrderFactory(), OrderFactory()
    codes = ["code_400", "code_422"]

    def work(order: Order, mine: list[str]):
        for _ in range(5):
            with transaction.atomic():
                for code in mine:
                    open_incident(order, **CAUSE | {"code": code}, detail="x", now=NOW)

    at_once(lambda: work(first, codes), lambda: work(second, codes[::-1]))
    assert sorted(Incident.objects.values_list("code", "count")) == [("code_400", 10), ("code_422", 10)]
    assert AffectedOrder.objects.count() == 4
    assert Mail.objects.filter(kind="mail_incident").count() == 2


def test_a_mail_about_a_whole_order_leaves_no_line_half_empty(desk):
    """A mail about a whole order has no line that ends in an empty value. For example, an activation without its trial
    has no customer, attribution or domains, and its incident has no detail."""
    desk.post(contents.activation("A1"))
    desk.play(contents.trial("T2"), contents.change("C1", "b.example.com", of="T2"))
    desk.play(contents.activation("A2", of="T2", start="20230930"), contents.withdrawal("C1"))
    assert desk.troubles("C1") == desk.troubles("A2") == ["change_built_upon"]
    assert [row.step for row in Mail.objects.all().order_by("pk")] == [
        "mail_held",
        "mail_sent_to_bpm",
        "mail_incident",
    ]
    assert len(mail.outbox) == 3
    for message in mail.outbox:
        assert [line for line in message.body.splitlines() if line.rstrip().endswith((":", "："))] == []
        assert message.subject == message.subject.strip()
