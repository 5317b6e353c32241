"""The trail: log-ins, failed log-ins and log-outs write a row each. Nothing changes these rows, and only `prune`
removes them.
"""

import csv
import datetime
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command, get_commands, load_command_class
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import Customer, Order, TrailEntry
from orders.office.exports.models import Export
from orders.office.exports.run import run_export
from orders.pauses.pause_and_resume import pause_partner
from orders.people.staff_events import add_note
from project.base.settings_table import Environment
from project.models import User
from project.trail.command_trail import NOTED, note_command
from project.trail.settings_trail import note_settings
from tests import factories as make
from tests.conftest import shanghai

pytestmark = pytest.mark.django_db
LOGIN = reverse("admin:login")
PAGE = reverse("admin:trail")
HOUR = datetime.timedelta(hours=1)
DAY = shanghai("2026-11-25 10:00")


@pytest.fixture
def wang():
    return User.objects.create_user("wang", password="right", is_staff=True)


def log_in(name, password, client=None):
    client = client or Client()
    client.post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR="10.0.0.5")
    return client


def rows():
    found = TrailEntry.objects.order_by("pk")
    return [(row.code, row.actor, row.about, row.address) for row in found]


def test_acts_stand_under_their_day_and_repeats_are_folded(admin_client, clock):
    orders = [make.OrderFactory() for _ in range(3)]
    for order in orders:
        make.OrderEventFactory(order=order, at=DAY, actor="staff:li", kind="personal_data_seen", data={"where": "raw"})
    make.OrderEventFactory(order=orders[0], at=DAY - 24 * HOUR, actor="staff:li", kind="note", data={"reason": "x"})
    answer = admin_client.get(PAGE, {"user": "li"})
    days = [(str(day), [len(group) for group in groups]) for day, groups in answer.context["days"]]
    today, before = (timezone.localdate(at) for at in (DAY, DAY - 24 * HOUR))
    assert days == [(str(today), [3]), (str(before), [1])]
    text = answer.content.decode()
    assert "共 3 次" in text
    assert [text.count(f">{order.number}</a>") for order in orders] == [2, 1, 1]
    assert f"{timezone.localtime(DAY):%H:%M:%S}" in text


def test_a_log_in_and_a_log_out(wang):
    client = log_in("wang", "right")
    client.post(reverse("admin:logout"), REMOTE_ADDR="10.0.0.5")
    assert rows() == [(code, "staff:wang", "wang", "10.0.0.5") for code in ("login", "logout")]
    assert set(TrailEntry.objects.values_list("account_id", flat=True)) == {wang.pk}
    assert TrailEntry.objects.first().data == {"way": "password"}


def test_failures_are_of_nobody_and_name_what_was_typed(wang):
    log_in("wang", "wrong")
    log_in("a\n2026-11-28 INFO forged", "x")
    assert rows() == [
        ("login_failed", "", "wang", "10.0.0.5"),
        ("login_failed", "", "a\\n2026-11-28 INFO forged", "10.0.0.5"),
    ]


def test_a_locked_log_in_is_noted_once(wang):
    for _ in range(8):
        log_in("wang", "wrong")
    assert [row[0] for row in rows()] == ["login_failed"] * 4 + ["login_locked"]


SOURCES = {
    "orders_trailentry": lambda at: make.TrailEntryFactory(at=at),
    "orders_orderevent": lambda at: make.OrderEventFactory(at=at),
    "django_admin_log": lambda at: LogEntry.objects.create(
        user=make.UserFactory(), object_repr="x", action_flag=2, action_time=at
    ),
}


@pytest.mark.parametrize("table", SOURCES)
@pytest.mark.parametrize("days, goes", [(0, False), (179, False), (181, True)])
def test_the_database_keeps_rows_for_180_days(table, days, goes):
    row = SOURCES[table](timezone.now() - datetime.timedelta(days=days))
    for change in (
        f"UPDATE {table} SET id = id WHERE id = %s",
        f"INSERT INTO {table} SELECT * FROM {table} WHERE id = %s ON CONFLICT (id) DO UPDATE SET id = excluded.id",
        *([f"REPLACE INTO {table} SELECT * FROM {table} WHERE id = %s"] if connection.vendor == "sqlite" else []),
    ):
        with pytest.raises(Error, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change, [row.pk])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [row.pk])
    except Error:
        assert not goes
    assert type(row).objects.filter(pk=row.pk).exists() is not goes


@pytest.mark.parametrize("age, until, goes", [(0, -1, False), (200, 1, False), (200, -1, True)])
def test_a_row_is_kept_for_180_days_and_until_its_own_day(age, until, goes):
    now, days = timezone.now(), datetime.timedelta(days=1)
    row = make.TrailEntryFactory(at=now - age * days, keep_until=now + until * days)
    try:
        with transaction.atomic():
            row.delete()
    except Error:
        assert not goes
    assert TrailEntry.objects.exists() is not goes


def test_a_row_is_kept_for_the_days_that_are_set(settings, wang):
    settings.AUDIT_DAYS = 400
    log_in("wang", "right")
    row = TrailEntry.objects.get()
    assert row.keep_until - row.at == datetime.timedelta(days=400)


def test_prune_removes_what_is_past_its_time(settings, capsys):
    settings.AUDIT_DAYS = 200
    now = timezone.now()
    old, longer, young = (
        make.TrailEntryFactory(at=now - datetime.timedelta(days=days), keep_until=now + datetime.timedelta(days=until))
        for days, until in ((210, -10), (210, 90), (190, -10))
    )
    call_command("prune", older_than=90)
    assert set(TrailEntry.objects.values_list("pk", flat=True)) == {longer.pk, young.pk} != {old.pk}
    assert "and 1 rows of the trail" in capsys.readouterr().out


def test_a_command_leaves_its_by_and_the_machines_account(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ops")
    note_command(["manage.py", "resend", "100A1", "--by", "lisi", "--reason", "call 13712345678"], done=False)
    row = TrailEntry.objects.get()
    assert (row.code, row.actor, row.about) == ("command", "command:lisi", "resend")
    assert row.address.endswith(":ops")
    assert "100A1" in row.data["words"]
    assert "13712345678" not in row.data["words"]


@pytest.mark.parametrize(
    "command",
    [
        *("axes_reset", "axes_reset_ip", "axes_reset_ip_username", "axes_reset_username", "axes_reset_failure_logs"),
        *("check_attachments", "fetch_usage"),
    ],
)
def test_a_command_that_acts_without_by_is_noted_as_the_machine_s_account(monkeypatch, command):
    monkeypatch.setattr("getpass.getuser", lambda: "ops")
    note_command(["manage.py", command, "x"], done=False)
    assert [(row[1], row[2]) for row in rows()] == [("command:ops", command)]


@pytest.mark.parametrize("words", [["show", "1"], ["resend", "--help"], ["status"], ["axes_list_attempts"], []])
def test_looking_leaves_nothing(words):
    note_command(["manage.py", *words], done=False)
    assert rows() == []


def test_a_restore_is_noted_in_the_database_that_it_made():
    note_command(["manage.py", "restore", "/backup"], done=False)
    assert rows() == []
    note_command(["manage.py", "restore", "/backup"], done=True)
    assert [row[2] for row in rows()] == ["restore"]


def test_each_command_that_says_who_gives_it_is_noted():
    ours = {name: app for name, app in get_commands().items() if app in {"orders", "integrations", "project"}}
    parsers = {name: load_command_class(app, name).create_parser("manage.py", name) for name, app in ours.items()}
    assert {name for name, parser in parsers.items() if "--by" in parser.format_help()} <= NOTED


def test_a_start_names_the_settings_that_changed(settings, tmp_path):
    settings.ENVIRONMENT = Environment(tmp_path / "no.env")
    settings.ENVIRONMENT.own = {"BBOSS_RATE": "100/min", "SECRET_KEY": "hush", "ANYMAIL_KEY": "hidden"}
    note_settings()
    note_settings()
    settings.ENVIRONMENT.own["BBOSS_RATE"] = "200/min"
    note_settings()
    first, second = TrailEntry.objects.order_by("pk")
    assert first.data["to"] == {"BBOSS_RATE": "100/min", "SECRET_KEY": "***", "ANYMAIL_KEY": "***"}
    assert (second.data["from"], second.data["to"]) == ({"BBOSS_RATE": "100/min"}, {"BBOSS_RATE": "200/min"})
    assert "hush" not in str(second.data)


@pytest.fixture
def auditor(member):
    return member("审计员")


def shown(staff, **query):
    """Returns what the page shows of each action under a filter: who, from where, what, about. Log-ins of members are
    left out."""
    answer = staff.get(PAGE, query)
    assert answer.status_code == 200, answer.context["form"].errors
    acts = [(row["who"], row["act"].address, row["act"].what, row["act"].about) for row in answer.context["rows"]]
    return [act for act in acts if not act[3].startswith("staff")]


def whats(staff, **query):
    return [row[2] for row in shown(staff, **query)]


@pytest.fixture
def acts():
    """Makes acts of each source of the trail, an hour apart from each other."""
    li, order = make.UserFactory(username="li", display_name="李四"), make.OrderFactory(number="100A1", received_at=DAY)
    Customer.objects.create(enterprise_id="E1", name="某公司", last_order=order, first_seen=DAY, last_seen=DAY)
    Order.objects.filter(pk=order.pk).update(enterprise_id="E1")
    make.TrailEntryFactory(at=DAY, actor="staff:li", account_id=li.pk, about="li", address="10.0.0.7")
    make.OrderEventFactory(order=order, at=DAY + HOUR, actor="staff:li", kind="waived", data={"reason": "13712345678"})
    make.OrderEventFactory(order=order, at=DAY + HOUR, actor="worker", kind="planned")
    make.OrderEventFactory(order=order, at=DAY + 2 * HOUR, actor="api:crm", kind="personal_data_seen", data={})
    words, by = {"words": "resend 100A2 100A1 --by wu"}, {"actor": "command:wu", "account_id": None}
    make.TrailEntryFactory(at=DAY + 3 * HOUR, code="command", about="resend", data=words, **by)
    words, by = {"words": "resend 100A11"}, {"actor": "command:wang", "account_id": None}
    make.TrailEntryFactory(at=DAY + 3 * HOUR, code="command", about="resend", data=words, **by)
    data = {"customer": "E1", "note": "x"}
    make.OrderEventFactory(order=None, at=DAY + 4 * HOUR, actor="staff:wu", kind="customer_noted", data=data)
    make.OrderEventFactory(order=None, at=DAY + 5 * HOUR, actor="company", kind="account_roles", data={"account": "li"})
    kind = ContentType.objects.get_for_model(User)
    about = {"object_repr": "li", "object_id": str(li.pk), "content_type": kind}
    boss = make.UserFactory(username="boss")
    LogEntry.objects.create(user=boss, action_flag=2, action_time=DAY + 24 * HOUR, **about)


ALL = [
    ("boss", "", "changed project.user", "li"),
    ("公司账号登录", "", "account_roles", "li"),
    ("wu", "", "customer_noted", "E1"),
    ("wang", "10.0.0.1", "command", "resend"),
    ("wu", "10.0.0.1", "command", "resend"),
    ("crm", "", "personal_data_seen", "100A1"),
    ("李四", "", "waived", "100A1"),
    ("李四", "10.0.0.7", "login", "li"),
]


def test_one_page_in_the_menu_shows_all_three_sources_the_newest_first(acts, auditor):
    assert shown(auditor) == ALL
    text = auditor.get(PAGE).content.decode()
    assert "13712345678" not in text
    assert "10.0.0.7" in text
    assert text.count(f'href="{PAGE}"') == 2  # in the menu, and in the menu for phones


@pytest.mark.parametrize(
    "query, wanted",
    [
        ({"user": "li"}, ["changed project.user", "account_roles", "waived", "login"]),
        ({"user": "李四"}, ["changed project.user", "account_roles", "waived", "login"]),
        ({"user": "wu"}, ["customer_noted", "command"]),
        ({"user": "nobody"}, []),
        ({"order": "100A1"}, ["command", "personal_data_seen", "waived"]),
        ({"customer": "E1"}, ["customer_noted", "personal_data_seen", "waived"]),
        ({"customer": "某公司", "user": "wu"}, ["customer_noted"]),
        ({"since": "2026-11-26"}, ["changed project.user"]),
        ({"until": "2026-11-25", "kind": "accounts"}, ["account_roles"]),
        ({"kind": "login"}, ["login"]),
        ({"kind": "personal"}, ["personal_data_seen"]),
        ({"kind": "decisions"}, ["waived"]),
        ({"kind": "rest"}, ["customer_noted"]),
        ({"kind": "accounts", "user": "li"}, ["changed project.user", "account_roles"]),
        ({"q": "10.0.0.7"}, ["login"]),
        ({"q": "100A1", "kind": "decisions"}, ["waived"]),
        ({"q": "resend"}, ["command", "command"]),
    ],
)
def test_it_is_found_by_person_order_customer_day_and_kind(acts, auditor, query, wanted):
    assert whats(auditor, **query) == wanted


def test_it_goes_on_without_losing_or_repeating_an_act(auditor, monkeypatch):
    """Many acts of all sources have the same time. Paging through them loses none and repeats none."""
    monkeypatch.setattr("project.accounts.trail_page.SHOWN", 3)
    li = make.UserFactory(username="li")
    for number in range(4):
        make.TrailEntryFactory(at=DAY, about=f"t{number}")
        make.OrderEventFactory(
            order=None, at=DAY, actor="staff:li", kind="account_made", data={"account": f"e{number}"}
        )
        LogEntry.objects.create(user=li, object_repr=f"j{number}", action_flag=2, action_time=DAY)
    address, found, pages = f"{PAGE}?until=2026-11-26", [], 0
    while address:
        context = auditor.get(address).context
        found += [row["act"].about for row in context["rows"]]
        pages += 1
        address = context["older"] and PAGE + context["older"]
    assert pages == 4
    assert sorted(found) == sorted(f"{source}{number}" for source in "tej" for number in range(4))


@pytest.mark.parametrize(
    "query, word",
    [
        ({"since": "rubbish"}, "有效日期"),
        ({"until": "9999-12-31"}, "有效日期"),
        ({"since": "2026-11-26", "until": "2026-11-25"}, "早于"),
        ({"order": "unknown"}, "没有"),
        ({"customer": "unknown"}, "没有"),
        ({"kind": "rubbish"}, "选"),
        ({"before": "1-2"}, "这一页"),
        ({"user": "a\0b"}, "空"),
        ({"q": "x" * 201}, "200"),
    ],
)
def test_a_filter_that_can_not_be_read_is_named(auditor, query, word):
    answer = auditor.get(PAGE, query)
    assert answer.status_code == 400
    assert word in answer.content.decode()


@pytest.mark.parametrize("before", ["99999999999999999-9-999999999999999999", "0-0-0"])
def test_a_place_at_the_end_of_time_is_one(acts, auditor, before):
    assert len(shown(auditor, before=before)) == (len(ALL) if before[0] == "9" else 0)


def test_the_file_holds_what_the_page_shows_without_formulas_and_is_noted(acts, auditor):
    answer = auditor.post(f"{PAGE}?user=li")
    lines = list(csv.reader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))
    assert [line[4] for line in lines[1:]] == ["li", "li", "100A1", "li"]
    assert lines[-1][:3] == ["2026-11-25 10:00:00", "李四", "10.0.0.7"]
    assert "13712345678" not in str(lines)
    assert whats(auditor)[0] == "trail_export"
    assert "li" in auditor.get(PAGE).context["rows"][0]["act"].more
    log_in("=1+1", "x")
    assert "'=1+1" in b"".join(auditor.post(PAGE).streaming_content).decode()


def test_who_may_not_export_gets_no_file(acts, auditor):
    Permission.objects.get(codename="export_list").group_set.clear()
    assert auditor.post(PAGE).status_code == 403
    assert TrailEntry.objects.filter(code="trail_export").count() == 0


def test_limited_auditors_are_refused(member):
    """Limited auditors may not open the trail. They see acts on their orders in the events of these orders."""
    staff = member("审计员", letters=["BJ"])
    assert staff.get(PAGE).status_code == 403
    assert PAGE not in staff.get(reverse("admin:index")).content.decode()


def test_an_export_leaves_who_asked_who_agreed_and_who_fetched(member, settings, tmp_path):
    settings.EXPORT_SECOND_PERSON, settings.EXPORT_DIR = True, tmp_path
    make.OrderFactory()
    asked = {"format": "csv", "columns": ["number"], "personal": "on", "reason": "checked by 13712345678"}
    client = member("业务人员")
    clerk = client.person
    client.post(reverse("admin:orders_export_new", args=["orders"]), asked)
    row = Export.objects.get()
    member("审批主管").post(reverse("admin:orders_export_judge", args=[row.pk]), {"agree": "1", "reason": "as asked"})
    run_export(row.pk, now=timezone.now(), stop=lambda: False)
    client.force_login(clerk)
    client.get(reverse("admin:orders_export_download", args=[row.pk]))
    auditor = member("审计员")
    assert whats(auditor, kind="export_fetched") == ["export_fetched"]
    assert whats(auditor, kind="export_judged") == ["export_judged"]
    first = auditor.get(PAGE, {"kind": "export"}).context["rows"][0]["act"]
    assert "订单" in first.more
    assert "13712345678" not in first.more
    assert whats(auditor, kind="personal") == ["personal_data_seen"]


def test_each_act_shows_on_the_page_and_in_the_command(admin_client, wang, settings, tmp_path, capsys):
    """The acts: log-ins, roles and limits, a token, personal data, a decision, a pause, a command, settings, and an
    export.
    """
    settings.EXPORT_DIR, order = tmp_path, make.OrderFactory(oper_tel="13712345678")
    log_in("wang", "wrong")
    log_in("wang", "right").post(reverse("admin:logout"))
    form = {"username": "wang", "is_staff": "on", "is_active": "on", "limited": "on", "attributions": ["BJ"]}
    form |= {"groups": [Group.objects.get(name="审计员").pk]}
    admin_client.post(reverse("admin:project_user_change", args=[wang.pk]), form)
    token = {"system": "crm", "valid_until": timezone.localdate().isoformat()}
    admin_client.post(reverse("admin:integrations_apitoken_add"), token)
    admin_client.get(reverse("admin:orders_order_change", args=[order.pk]), {"tab": "content", "personal": "1"})
    add_note(number=order.number, reason="called", by="staff:admin", now=timezone.now())
    pause_partner(partner="bpm", reason="moves", by="staff:admin", now=timezone.now())
    note_command(["manage.py", "resend", order.number, "--by", "lisi"], done=False)
    note_settings()
    admin_client.post(reverse("admin:orders_export_new", args=["orders"]), {"format": "csv", "columns": ["number"]})
    rows = [row["act"].as_json() for row in admin_client.get(PAGE).context["rows"]]
    wanted = {"login", "login_failed", "logout", "changed project.user", "api_token_made", "personal_data_seen", "note"}
    wanted |= {"partner_paused", "command", "settings", "export", "export_fetched"}
    assert wanted <= {row["what"] for row in rows}
    [change] = [row["details"] for row in rows if row["what"] == "changed project.user"]
    assert "（空） → 审计员" in change
    assert "（空） → 北京" in change
    call_command("audit", json=True)
    assert json.loads(capsys.readouterr().out) == rows[::-1]
