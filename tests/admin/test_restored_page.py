"""The page that leads through a restore of the database, the banner meanwhile, and the statement that the desk may
send again.
"""

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import Dispatch, OrderEvent, Timeline
from orders.restore.detect_restore import note_restored, read_restore_state
from orders.restore.manual_trial_numbers import note_numbers, numbers_file
from tests import factories as make
from tests.admin.walking import text_of
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
URL = "/admin/restored/"
BANNER = "数据库已恢复到较早的状态"


@pytest.fixture
def restored(request):
    """The desk notes that its database was restored from a backup."""
    name = Timeline.objects.latest("pk").name
    note_restored(name=name, about={"machine": "old-machine", "seen": 900, "newest": 5}, by="guard", now=timezone.now())
    read_restore_state()
    yield
    Timeline.objects.update(restored_at=None)
    read_restore_state()


def page(client, url=URL) -> str:
    return text_of(client, url)


def test_without_a_restore_there_is_nothing_to_do(member):
    client = member("工程师")
    assert '<form method="post" class="acts"' not in page(client)
    assert BANNER not in page(client, reverse("admin:index"))


def test_every_page_says_so(member, restored):
    client = member("业务人员")
    order = make.OrderFactory()
    pages = ("admin:index", "admin:orders_order_changelist")
    for url in [*map(reverse, pages), reverse("admin:orders_order_change", args=[order.pk]), URL]:
        assert BANNER in page(client, url)


def test_an_order_does_not_say_that_its_steps_are_under_way(member, restored):
    order = make.OrderFactory(state="in_progress")
    make.DispatchFactory(order=order, step="create_billing", channel="billing", state="due", next_try_at=timezone.now())
    make.HeartbeatFactory(seen_at=timezone.now())
    assert "刷新本页可看到结果" not in page(member("业务人员"), reverse("admin:orders_order_change", args=[order.pk]))


def test_it_names_who_is_missing_and_what_would_go(member, restored):
    make.DifferenceFactory(order=None, kind="unknown_order", job_id="100A777", domain="x.example.com")
    make.DifferenceFactory(kind="fields")
    order = make.OrderFactory(number="100A778")
    make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="waiting")
    make.DispatchFactory(order=order, step="create_billing", channel="billing", state="due", next_try_at=timezone.now())
    text = page(member("工程师"))
    assert "100A777" in text
    assert "100A778" in text
    assert "old-machine" in text
    assert "900" in text
    assert "尚未比对" in text


def test_it_names_who_was_entered_by_hand_and_is_missing(member, restored, settings, tmp_path):
    settings.ATTACHMENT_DIR = tmp_path
    make.TrialFactory(number="T100")
    note_numbers(["T100", "T101"], by="staff:wang", now=shanghai("2023-09-20 18:54:36"))
    text = page(member("工程师"))
    assert "T101" in text
    assert "2023-09-20 18:54:36" in text
    assert "T100" not in text
    numbers_file().unlink()
    numbers_file().mkdir()
    assert "Is a directory" in page(member("工程师"))


def test_the_word_is_said_with_a_reason(member, restored):
    client = member("工程师")
    order = make.OrderFactory()
    row = make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="due", next_try_at=timezone.now())
    assert client.post(URL, {"reason": " "}).status_code == 200
    assert read_restore_state().restored
    assert client.post(URL, {"reason": "已核对"}, follow=True).status_code == 200
    assert not read_restore_state().restored
    event = OrderEvent.objects.get(kind="restore_released")
    assert (event.actor, event.data["reason"]) == (f"staff:{client.person.get_username()}", "已核对")
    row.refresh_from_db()
    assert (row.state, row.error_code) == (Dispatch.State.FAILED, "restored")
    assert "已核对" in page(client)


@pytest.mark.parametrize("role, letters", [("业务人员", None), ("审计员", None), ("工程师", ["BJ"]), ("管理员", [])])
def test_numbers_and_machine_are_for_those_who_may_release(member, restored, settings, tmp_path, role, letters):
    settings.ATTACHMENT_DIR = tmp_path
    note_numbers(["T101"], by="staff:wang", now=timezone.now())
    make.DifferenceFactory(order=None, kind="unknown_order", job_id="100A777", domain="x.example.com")
    text = page(member(role, letters=letters))
    assert [word for word in ("T101", "100A777", "old-machine", "900", 'class="acts"') if word in text] == []


@pytest.mark.parametrize(
    "role, letters, sees",
    [("工程师", None, True), ("审计员", None, True), ("业务人员", None, False), ("工程师", ["BJ"], False)],
)
def test_earlier_restores_are_for_those_who_see_the_timelines(member, role, letters, sees):
    Timeline.objects.create(begun_at=timezone.now(), begun_by="staff:wang", reason="演练结束")
    assert ("演练结束" in page(member(role, letters=letters))) is sees


def test_staff_without_a_right_are_refused(member, restored):
    client = member()
    assert client.get(URL).status_code == 403
    assert client.post(URL, {"reason": "已核对"}).status_code == 403
    start = page(client, reverse("admin:index"))
    assert BANNER in start
    assert URL not in start


def test_how_much_it_asks(member, restored, django_assert_max_num_queries):
    client = member("工程师")
    for n in range(30):
        order = make.OrderFactory()
        make.DispatchFactory(order=order, step="start_bpm", channel="bpm", state="waiting")
        make.DifferenceFactory(order=None, kind="unknown_order", job_id=f"100A{n}", domain="x.example.com")
    with django_assert_max_num_queries(26):
        page(client)
