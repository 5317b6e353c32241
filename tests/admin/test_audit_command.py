"""`audit` prints the trail: its own rows, the events of what people did, and log entries. It prints each once
(contract 5).
"""

import datetime
import json

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests import factories as make
from tests.admin.orders import deciding
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)
DAY = shanghai("2026-11-25 10:00")
ALL = ["login", "waived", "personal_data_seen", "account_roles", "pruned", "changed -", "login_failed"]


@pytest.fixture
def acts():
    li, order = make.UserFactory(username="li"), make.OrderFactory(number="100A1")
    make.OrderEventFactory(order=order, at=DAY + HOUR, actor="staff:li", kind="waived", data={"reason": "13712345678"})
    make.OrderEventFactory(order=None, at=DAY + 1.5 * HOUR, actor="api:crm", kind="personal_data_seen", data={})
    make.OrderEventFactory(order=order, at=DAY, actor="worker", kind="planned")
    make.OrderEventFactory(order=None, at=DAY + 2 * HOUR, actor="company", kind="account_roles", data={"account": "wu"})
    make.OrderEventFactory(order=None, at=DAY + 3 * HOUR, actor="command:li", kind="pruned")
    make.TrailEntryFactory(at=DAY, actor="staff:li", account_id=li.pk, about="li", data={"way": "password"})
    make.TrailEntryFactory(at=DAY + 24 * HOUR, actor="", code="login_failed", about="li", address="10.0.0.9")
    said = {"object_repr": "x", "change_message": "x"}
    LogEntry.objects.create(user=li, action_flag=CHANGE, action_time=DAY + 4 * HOUR, **said)


def printed(capsys, **options):
    call_command("audit", json=True, **options)
    return json.loads(capsys.readouterr().out)


def kinds(rows):
    return [row["what"] for row in rows]


def test_all_of_it_the_oldest_first(acts, capsys):
    rows = printed(capsys)
    assert kinds(rows) == ALL
    assert set(rows[0]) == {"at", "who", "from", "what", "about", "details"}
    assert (rows[0]["at"], rows[0]["who"], rows[0]["from"]) == ("2026-11-25T10:00:00+08:00", "staff:li", "10.0.0.1")
    assert (rows[1]["about"], rows[6]["from"]) == ("100A1", "10.0.0.9")
    assert "13712345678" not in str(rows)


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"user": "li"}, ["login", "waived", "pruned", "changed -", "login_failed"]),
        ({"user": "nobody"}, []),
        ({"order": "100A1"}, ["waived"]),
        ({"since": "2026-11-26"}, ["login_failed"]),
        ({"until": "2026-11-25"}, ALL[:-1]),
    ],
)
def test_a_part_of_it(acts, capsys, options, wanted):
    days = {name: datetime.date.fromisoformat(value) for name, value in options.items() if name in {"since", "until"}}
    assert kinds(printed(capsys, **options | days)) == wanted


def test_what_somebody_did_on_a_page_says_from_where(member, capsys):
    staff, order = member("业务人员"), make.OrderFactory()
    sent = {"reason": "called", "seen": 0}
    assert staff.post(deciding(order, "note"), sent, REMOTE_ADDR="192.0.2.7").status_code == 302
    noted = [row for row in printed(capsys, order=order.number) if row["what"] == "note"]
    assert [(row["who"], row["from"]) for row in noted] == [(f"staff:{staff.person.username}", "192.0.2.7")]


def test_a_second_factor_that_a_colleague_reset_is_found_by_its_account(acts, capsys):
    make.OrderEventFactory(order=None, at=DAY, actor="staff:li", kind="second_factor_reset", data={"account": "wu"})
    make.UserFactory(username="wu")
    assert kinds(printed(capsys, user="wu")) == ["second_factor_reset", "account_roles"]


def test_one_line_each_for_people(acts, capsys):
    make.TrailEntryFactory(at=timezone.now(), code="login_failed", actor="", about="a\nb")
    call_command("audit")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2026-11-25 10:00:00  staff:li  10.0.0.1")
    assert len(lines) == 8


@pytest.mark.parametrize(
    "options, error",
    [
        ({"order": "unknown"}, "no order unknown"),
        ({"since": datetime.date(2026, 11, 26), "until": datetime.date(2026, 11, 25)}, "comes after"),
        ({"until": datetime.date.max}, "--until"),
    ],
)
def test_what_is_wrong_is_named(options, error):
    with pytest.raises(CommandError, match=error):
        call_command("audit", **options)
