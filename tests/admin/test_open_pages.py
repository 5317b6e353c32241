"""Pages that stay open poll for changes. A poll is answered with 204 or with the new content. It respects rows,
rights, limits and masks, and does not count as use of the session.
"""

import datetime
import hashlib
import pathlib
import re

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone

from orders.history.order_locks_and_events import add_event
from orders.incidents.incidents import open_incident
from orders.lists import page_fingerprint
from orders.models import Incident, Order, OrderEvent
from tests import factories as make
from tests.admin.orders import failed
from tests.admin.walking import page_of
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
POLL = {"Desk-Poll": "1"}
DASHBOARD, LIST = reverse("admin:index"), reverse("admin:orders_order_changelist")


class Open:
    """A page that is open in a browser."""

    def __init__(self, client, url):
        self.client, self.url = client, url
        self.text = client.get(url).content.decode()
        self.version = re.search(r'data-version="([\w-]+)"', self.text)[1]
        self.opened = re.search(r'data-opened="(\d*)"', self.text)[1]

    def poll(self, **more):
        mark = "&" if "?" in self.url else "?"
        asked = f"{self.url}{mark}seen={self.version}&opened={self.opened}"
        answer = self.client.get(asked, headers=POLL, **more)
        self.version = answer.headers.get("Desk-Version", self.version)
        return answer


@pytest.fixture(autouse=True)
def counts_anew(monkeypatch):
    page_fingerprint._counted.clear()
    monkeypatch.setattr(page_fingerprint, "COUNTED_EVERY", datetime.timedelta())


@pytest.fixture
def clerk(member):
    return member("业务人员", letters=["BJ"])


@pytest.fixture
def order():
    row = failed()
    Order.objects.filter(pk=row.pk).update(attribution="BJ")
    row.refresh_from_db()
    return row


def pages_of(order) -> dict[str, str]:
    open_incident(order, partner="bpm", step="create_bpm", code="400", detail="x", now=timezone.now())
    order.dispatches.filter(state="due").update(state="closed")  # its mail is no longer due
    incident = Incident.objects.latest("pk")
    return {"dashboard": DASHBOARD, "list": LIST, "order": page_of(order), "incident": page_of(incident)}


@pytest.mark.parametrize("name", ["dashboard", "list", "order", "incident"])
def test_a_poll_gets_nothing_until_something_changes_and_then_the_content_alone(
    clerk, order, name, django_assert_max_num_queries
):
    page = Open(clerk, pages_of(order)[name])
    with django_assert_max_num_queries(8) as captured:
        quiet = page.poll()
    assert (quiet.status_code, quiet.content, quiet["Desk-Pace"]) == (204, b"", "15")
    assert not any(query["sql"].startswith(("INSERT", "UPDATE", "DELETE")) for query in captured.captured_queries)
    add_event(order, "note", by="staff:li", now=timezone.now(), text="called")
    changed = page.poll()
    assert (changed.status_code, changed["Desk-Pace"]) == (200, "3")
    assert changed.content.strip().startswith(b'<div id="content">')
    assert page.poll().status_code == 204


def test_an_address_with_a_version_but_without_the_header_is_the_whole_page(clerk, order):
    page = Open(clerk, LIST)
    answer = clerk.get(LIST, {"seen": page.version}, follow=True)
    assert b"<html" in answer.content


def test_a_filter_may_have_the_name_of_the_version(member):
    staff = member("业务人员")
    conflicts = [make.ConflictFactory() for _ in range(2)]
    page = Open(staff, f"{reverse('admin:orders_conflict_changelist')}?seen=no")
    assert page.poll().status_code == 204
    add_event(None, "note", by="staff:li", now=timezone.now())
    text = page.poll().content.decode()
    assert all(row.order_number in text for row in conflicts)
    assert "seen=no" in text
    assert page.version not in text


def test_a_step_under_way_is_asked_about_quickly(clerk, order):
    make.DispatchFactory(order=order, state="sending", next_try_at=timezone.now() + datetime.timedelta(minutes=1))
    page = Open(clerk, page_of(order))
    assert 'data-pace="3"' in page.text
    assert page.poll()["Desk-Pace"] == "3"


@pytest.mark.parametrize("state", ["running", "waiting"])
def test_the_pages_of_runs_move_with_their_progress(member, state):
    staff = member("业务人员", "审计员")
    rows = [make.ExportFactory(by=f"staff:{staff.person.username}", maker_id=staff.person.pk, state=state, total=9)]
    rows.append(
        make.BulkRunFactory(by=f"staff:{staff.person.username}", maker_id=staff.person.pk, state=state, total=9)
    )
    for row, field in zip(rows, ["written", "done"], strict=True):
        page = Open(staff, page_of(row))
        assert page.poll()["Desk-Pace"] == "3"
        setattr(row, field, 5)
        row.save()
        answer = page.poll()
        assert (answer.status_code, 'value="5"' in answer.content.decode()) == (200, True)


@pytest.mark.whole
def test_a_lost_right_and_a_lost_limit_are_other_versions(clerk, order):
    """A right that a role loses, or a limit that changes, makes the page load anew. A person who loses a right given
    to the person is logged out instead, so the test takes the right from the role.
    """
    role = Group.objects.get(name="业务人员")
    pages = [Open(clerk, url) for url in pages_of(order).values()]
    role.permissions.remove(Permission.objects.get(codename="view_attempt"))
    assert [page.poll().status_code for page in pages] == [200] * 4
    clerk.person.attributions.add("SH")
    assert [page.poll().status_code for page in pages] == [200] * 4
    role.permissions.remove(Permission.objects.get(codename="view_order"))
    assert pages[2].poll().status_code == 403


def test_an_order_that_leaves_the_limits_is_not_shown_any_more(clerk, order):
    page, rows = Open(clerk, page_of(order)), Open(clerk, LIST)
    Order.objects.filter(pk=order.pk).update(attribution="SH")
    add_event(order, "attribution_chosen", by="staff:li", now=timezone.now(), letters="SH")
    assert page.poll().status_code == 404
    assert order.number not in rows.poll().content.decode()


def test_a_poll_opens_no_personal_data_and_masks_what_was_open_and_so_does_a_lost_right(member, order):
    """A poll masks what was open, and opens nothing. It does so even if only the right was lost. Whoever lost the
    right is not logged out, because a role lost it.
    """
    staff = member("业务人员", "工程师", "审批主管")
    Order.objects.filter(pk=order.pk).update(oper_tel="13700001234")
    page = Open(staff, f"{page_of(order)}?personal=1")
    assert "13700001234" in page.text
    seen = OrderEvent.objects.filter(kind="personal_data_seen")
    assert (seen.count(), page.poll().status_code) == (1, 204)
    add_event(order, "note", by="staff:li", now=timezone.now(), text="called")
    answer = page.poll()
    assert (answer.status_code, "13700001234" in answer.content.decode(), seen.count()) == (200, False, 1)
    page = Open(staff, f"{page_of(order)}?personal=1")
    assert "13700001234" in page.text
    assert page.poll().status_code == 204
    right = Permission.objects.get(codename="see_personal_data")
    for role in Group.objects.filter(permissions=right):
        role.permissions.remove(right)
    answer = page.poll()
    assert (answer.status_code, "13700001234" in answer.content.decode()) == (200, False)
    assert "13700001234" not in staff.get(page.url).content.decode()


def test_it_says_what_changed_since_it_was_opened_and_by_whom(clerk, order):
    make.UserFactory(username="lina", display_name="李娜")
    page = Open(clerk, page_of(order))
    assert "打开后有变动" not in page.text
    add_event(order, "note", by="staff:lina", now=timezone.now(), text="called")
    text = page.poll().content.decode()
    assert re.search(r"打开后有变动.*?备注.*?李娜.*?刷新", text, re.DOTALL)
    assert "打开后有变动" not in Open(clerk, page_of(order)).text


def test_an_open_decision_says_within_seconds_that_a_colleague_was_quicker(clerk, order):
    make.UserFactory(username="lina", display_name="李娜")
    page = Open(clerk, reverse("admin:orders_order_decide", args=[order.pk, "note"]))
    assert 'data-pace="3"' in page.text
    assert page.poll().status_code == 204
    add_event(order, "note", by="staff:lina", now=timezone.now(), reason="called")
    answer = page.poll()
    assert (answer.status_code, answer["Desk-Pace"]) == (200, "3")
    assert re.search(r"打开后有变动.*?备注.*?李娜", answer.content.decode(), re.DOTALL)


def test_the_tab_counts_what_needs_me_within_my_limits(clerk, order):
    page = Open(clerk, LIST)
    assert 'data-needing="1"' in page.text
    other = make.OrderFactory(state="failed", attribution_id="SH")
    add_event(other, "note", by="staff:li", now=timezone.now())
    assert page.poll()["Desk-Needing"] == "1"
    make.OrderFactory(state="failed", attribution_id="BJ")
    add_event(order, "note", by="staff:li", now=timezone.now())
    assert page.poll()["Desk-Needing"] == "2"
    colleague = make.UserFactory(letters=None)
    colleague.groups.set(clerk.person.groups.all())
    Order.objects.filter(pk=order.pk).update(owner=colleague)
    add_event(order, "note", by="staff:li", now=timezone.now())
    assert page.poll()["Desk-Needing"] == "1"  # a colleague owns the order
    Order.objects.filter(pk=order.pk).update(owner=clerk.person)
    add_event(order, "note", by="staff:li", now=timezone.now())
    assert page.poll()["Desk-Needing"] == "2"


def test_polls_are_no_use_of_the_session_and_an_ended_one_names_the_door(clerk, order, settings, lines):
    settings.SESSION_IDLE_MINUTES = 30
    page = Open(clerk, LIST)
    before = dict(clerk.session)
    with_lines = len(lines())
    for _ in range(2):
        assert page.poll().status_code == 204
    assert len(lines()) == with_lines
    assert dict(clerk.session) == before
    session = clerk.session
    session["desk_used"] -= 31 * 60
    session.save()
    over = page.poll()
    assert (over.status_code, "Desk-Version" in over.headers) == (401, False)
    assert over["Desk-Door"].startswith(reverse("admin:login"))
    assert "ended=idle" in over["Desk-Door"]
    assert page.poll().status_code == 401


def test_a_page_grows_old_and_is_made_anew(clerk, order, clock):
    page = Open(clerk, LIST)
    assert page.poll().status_code == 204
    clock.shift(datetime.timedelta(minutes=16))
    assert page.poll().status_code == 200


@pytest.mark.parametrize("name", ["dashboard", "list", "order", "incident"])
def test_a_page_goes_on_over_midnight_and_is_made_anew(clerk, order, name, clock):
    """At midnight, an open page is rendered anew and then describes the new day. The person stays logged in, and the
    page then needs no further reload.
    """
    clock.move_to(shanghai("2023-09-20 23:59:50"))
    page = Open(clerk, pages_of(order)[name])
    assert page.poll().status_code == 204
    clock.move_to(shanghai("2023-09-21 00:00:05"))
    answer = page.poll()
    assert (answer.status_code, answer.content.strip()[:18]) == (200, b'<div id="content">')
    assert page.poll().status_code == 204
    clock.move_to(shanghai("2023-09-21 00:05:00"))
    add_event(order, "note", by="staff:li", now=timezone.now(), text="called")
    assert page.poll().status_code == 200


def test_nobody_else_s_version_is_ours(member, order):
    first = Open(member("业务人员"), LIST)
    other = Open(member("业务人员"), LIST)
    first.client = other.client
    assert first.poll().status_code == 200


def test_htmx_is_the_one_of_its_package():
    found = pathlib.Path(finders.find("vendor/htmx/htmx.min.js"))
    told = (found.parent / "README.md").read_text()
    assert hashlib.sha256(found.read_bytes()).hexdigest() in told
    assert (found.parent / "LICENSE").exists()
