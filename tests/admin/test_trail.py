"""The trail: log-ins, failures and log-outs leave a row each, which nothing changes and only `prune` removes."""

import datetime

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import TrailEntry
from project.command_trail import NOTED, note_command
from project.models import User
from project.settings_trail import note_settings
from tests import factories as make

pytestmark = pytest.mark.django_db
LOGIN = reverse("admin:login")
LIST = reverse("admin:orders_trailentry_changelist")


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


@pytest.mark.parametrize("days, goes", [(0, False), (179, False), (181, True)])
def test_the_database_keeps_rows_for_180_days(days, goes):
    row = make.TrailEntryFactory(at=timezone.now() - datetime.timedelta(days=days))
    with pytest.raises(Error), transaction.atomic():
        TrailEntry.objects.filter(pk=row.pk).update(actor="staff:other")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM orders_trailentry WHERE id = %s", [row.pk])
    except Error:
        assert not goes
    assert TrailEntry.objects.filter(pk=row.pk).exists() is not goes


def test_a_short_keep_until_lets_no_row_go_early():
    row = make.TrailEntryFactory(at=timezone.now(), keep_until=timezone.now() - datetime.timedelta(days=1))
    with pytest.raises(Error), transaction.atomic():
        row.delete()


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


@pytest.mark.parametrize("words", [["show", "1"], ["resend", "--help"], ["status"], []])
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


class Given:
    def __init__(self, **values):
        self.values = values

    def given(self, name):
        return self.values.get(name)

    def free(self):
        return {"ANYMAIL_KEY": "hidden"}


def test_a_start_names_the_settings_that_changed(settings):
    settings.ENVIRONMENT = Given(BBOSS_RATE="100/min", SECRET_KEY="hush")
    note_settings()
    note_settings()
    settings.ENVIRONMENT = Given(BBOSS_RATE="200/min", SECRET_KEY="hush")
    note_settings()
    first, second = TrailEntry.objects.order_by("pk")
    assert first.data["to"] == {"BBOSS_RATE": "100/min", "SECRET_KEY": "***", "ANYMAIL_KEY": "***"}
    assert (second.data["from"], second.data["to"]) == ({"BBOSS_RATE": "100/min"}, {"BBOSS_RATE": "200/min"})
    assert "hush" not in str(second.data)


def test_the_page_finds_a_person_and_leads_to_the_rest(member, wang):
    log_in("wang", "wrong")
    log_in("wang", "right")
    make.TrailEntryFactory(about="other", actor="staff:other")
    text = member("审计员").get(LIST, {"q": "wang", "at": "today"}).content.decode()
    assert text.count("10.0.0.5") == 2
    assert "other" not in text
    assert "/admin/orders/orderevent/?who=people&amp;q=wang&amp;at=today" in text
    assert "/admin/admin/logentry/?q=wang&amp;at=today" in text


def test_limited_auditors_see_no_row_of_it(member):
    make.TrailEntryFactory(about="somebody")
    assert "somebody" not in member("审计员", letters=["BJ"]).get(LIST).content.decode()
