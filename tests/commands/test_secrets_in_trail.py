"""The trail contains no password, token or key of a command (contract 5, `audit`). A migration removes those that were
stored before.
"""

import importlib
import json
from types import SimpleNamespace

import pytest
from django import forms
from django.apps import apps
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.forms.models import ModelFormMetaclass
from django.urls import reverse

from orders.db.trail_guard import entries
from orders.models import Incident, OrderEvent, Pause, TrailEntry
from orders.texts.secrets_in_text import kept_words
from project.trail.command_trail import note_command
from project.trail.trail_query import TrailFilter, newest_acts
from project.trail_syslog import message
from tests import factories as make
from tests.sources import APPS

pytestmark = pytest.mark.django_db
PASSWORD = "Tr0ub4dor&3"
TOKEN = "ibs_kJ8d0aZq1LmN2pR7sT-9uV3wX4yB5cD6eF0gH1iJ2k"
IN_A_TEXT = [
    "password={}", "password='{}'", 'password="{}"', "password: {}", "PASSWORD => `{}`", "password {}",
    "the password is {}", "the password for wang: {}", "create_superuser('x', **{{'password': '{} and more'}})",
    '{{"password": "{}"}}', '{{\\"password\\": \\"{}\\"}}', "set_password('{}')", "setattr(user, 'password', '{}')",
    "PGPASSWORD={}", "passwd={}", "pwd: {}", "passphrase '{}'", "token={}", "accessToken: '{}'", "Bearer {}",
    "Authorization: Bearer {}", "Authorization: Basic {}", "SECRET_KEY={}", "MFA_KEY {}", "api-key='{}'", "apiKey: {}",
    "key={}", "client_secret='{}'", "BBOSS_APP_SECRET {}", "sign={}", "postgres://ibs:{}@db/ibs", "smtp+tls://ibs:{}@h",
    "https://ibs:{}@h/x", "https://h/x?key={}", "密码是{}", "密码：{}", "密码{}",
    "新密码 {}，请核对", "口令“{}”", "令牌={}", "密钥 {}",
    "wang:{}@db", "'password' '{}'",
]  # fmt: skip
WHOLE = [
    ["createsuperuser", "--username", "wang", "--password", PASSWORD],
    ["createsuperuser", "--username", "wang", f"--password={PASSWORD}"],
    ["createsuperuser", "--username", "wang", PASSWORD],
    ["createsuperuser", "--noinput", PASSWORD],
    ["changepassword", "wang", PASSWORD],
    ["emergency_account", "wang", PASSWORD, "--by", "li"],
    ["resend", "token", PASSWORD],
    ["resend", "100A1", "--token", PASSWORD],
    ["resend", "100A1", TOKEN],
    ["resend", "100A1", "--reason", f"was {TOKEN} before"],
    ["resend", "100A1", "--reason", "675cf2df623c47e69e523c0fd2b6f7b9"],
    ["restore", "/backup", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"],
    ["shell", "-c", f"User.objects.create_superuser('x', 'x@y.cn', '{PASSWORD}')"],
    ["shell", f"--command=User.objects.create_superuser('x', 'x@y.cn', '{PASSWORD}')"],
    ["dbshell", "--", "-c", f"ALTER ROLE ibs PASSWORD '{PASSWORD}'"],
]
PLAIN = [
    ["resend", "100A230920170126001", "100A230920170122001", "--reason", "customer asked, key account", "--by", "wang"],
    ["decide", "BJ-20260901-ABCDEF-000123", "pass", "--reason", "密码重置后客户经理确认"],
    ["changepassword", "wang"],
    ["emergency_account", "wang", "--by", "li"],
    ["createsuperuser", "--username", "wang", "--email", "-"],
    ["restore", "/backup/desk-2026-12-01", "--identity", "/root/desk-key"],
    ["export", "orders", "/tmp/pytest-of-root/A1b2C3d4E5f6G7h8J9k0/out.xlsx", "--query", "state=held&attribution=BJ"],
    ["import_trials", "TrialsQ3Import20260901Final.xlsx"],
    ["own", "100A1", "--to", "wang", "--reason", "token expired; password reset by wang, his secretary"],
    ["shell"],
]
SECRETS = [*(["resend", "100A1", "--reason", one.format(PASSWORD)] for one in IN_A_TEXT), *WHOLE]
cut_reasons = importlib.import_module("orders.migrations.0069_reasons_without_secrets").cut
cut = importlib.import_module("orders.migrations.0061_trail_without_secrets").cut


def kept(words) -> str:
    note_command(["manage.py", *words], done=words[0] == "restore")
    return TrailEntry.objects.latest("pk").data["words"]


@pytest.mark.parametrize("words", SECRETS, ids=" ".join)
def test_a_secret_is_cut_whatever_its_quotes(words):
    text = kept(words)
    assert text.startswith(words[0])
    drawn = ("kJ8d0aZq1LmN2pR7", "675cf2df", "GFPYYSJZ")
    for part in (PASSWORD[:6], PASSWORD[-6:], *drawn, "and more"):
        assert part not in text
    assert kept_words(text) == text


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_what_is_none_stays(words):
    assert kept(words) == " ".join(words)


def test_of_code_only_the_length_is_kept():
    assert kept(["shell", "-c", "print(1)"]) == "shell (11 characters)"
    assert kept(["dbshell", "--", "-c", "SELECT 1"]) == "dbshell (14 characters)"


def test_a_reason_that_a_command_gives_enters_no_event_with_a_password():
    number = "675cf2df623c47e69e523c0fd2b6f7b9"
    call_command("pause", "bpm", "--reason", f"maintenance, password '{PASSWORD}', transIDO {number}")
    [reason] = [row.data["reason"] for row in OrderEvent.objects.all() if "reason" in row.data]
    assert reason == f"maintenance, password ***, transIDO {number}"


def forms_of_pages() -> list[type[forms.Form]]:
    call_command("check")  # this command imports all pages
    found, left = [], [forms.BaseForm]
    while left:
        left += (kind := left.pop()).__subclasses__()
        found.append(kind)
    return [kind for kind in found if kind.__module__.split(".")[0] in APPS]


def test_no_form_of_a_page_takes_a_password_in_its_words():
    """What staff enter as a reason or note is stored in the trail: for a decision, a note, a pause, a bulk run, an
    export, a token. A password in it is replaced.
    """
    fields = [
        (kind.__name__, name, field)
        for kind in forms_of_pages()
        for name, field in kind.base_fields.items()
        if name in {"reason", "note"} and not isinstance(kind, ModelFormMetaclass)
    ]
    assert len(fields) > 20
    taken = {(kind, name) for kind, name, field in fields if field.clean(f"password={PASSWORD}") != "password=***"}
    assert taken == set()


def test_a_reason_typed_on_a_page_enters_neither_event_nor_incident_with_a_password(client):
    client.force_login(make.UserFactory(username="boss", is_superuser=True))
    client.post(reverse("admin:orders_pause_partner", args=["bpm"]), {"reason": f"新密码 {PASSWORD}，请核对"})
    kept = [*OrderEvent.objects.values_list("data", flat=True), *Pause.objects.values_list("reason", flat=True)]
    kept += Incident.objects.values_list("detail", flat=True)
    text = json.dumps(kept, ensure_ascii=False)
    assert ("新密码 ***，请核对" in text, PASSWORD in text) == (True, False)


# --- Rows from before the upgrade


def whole(words) -> TrailEntry:
    return make.TrailEntryFactory(code="command", actor="command:ops", about=words[0], data={"words": " ".join(words)})


def migrate(cut=cut):
    # checks the constraints now: in a migration no check is pending, because the rows are from earlier transactions
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    cut(apps, SimpleNamespace(connection=connection))


def is_guarded(row) -> bool:
    try:
        with transaction.atomic():
            TrailEntry.objects.filter(pk=row.pk).update(about="x")
    except Error:
        return True
    return False


def test_rows_of_before_are_cut_once_and_that_is_noted(monkeypatch):
    monkeypatch.setattr("orders.migrations.0061_trail_without_secrets.BATCH", 7)
    left = [whole(words) for words in PLAIN]
    rows = [whole(words) for words in SECRETS]
    other = make.TrailEntryFactory(code="login_failed", about="wang", data={"why": "password=x"})
    before = {row.pk: (row.at, row.keep_until, row.actor, row.about, row.code) for row in TrailEntry.objects.all()}
    migrate()
    after = {row.pk: row for row in TrailEntry.objects.filter(pk__in=before)}
    assert {pk: (row.at, row.keep_until, row.actor, row.about, row.code) for pk, row in after.items()} == before
    assert [after[row.pk].data for row in [*left, other]] == [row.data for row in [*left, other]]
    text = json.dumps([after[row.pk].data for row in rows], ensure_ascii=False)
    assert (PASSWORD in text, TOKEN in text, '"words"' in text) == (False, False, True)
    notes = TrailEntry.objects.exclude(pk__in=before)
    assert {(row.code, row.actor, row.about) for row in notes} == {("secrets_cut", "system", "orders.0061")}
    assert sum(row.data["count"] for row in notes) == len(rows)
    assert all(is_guarded(row) for row in (left[0], rows[0], notes[0]))
    migrate()
    assert TrailEntry.objects.count() == len(before) + len({row.pk for row in notes})


def test_reasons_of_before_are_cut_once_in_events_and_beside_them_and_that_is_noted():
    said, order = f"新密码 {PASSWORD}", make.OrderFactory()
    event = make.OrderEventFactory(order=order, kind="note", data={"reason": said, "seen": 3})
    undone = make.OrderEventFactory(order=order, kind="incident", data={"code": "compensated", "detail": said})
    plain = make.OrderEventFactory(order=order, kind="note", data={"reason": "客户要求", "password": "x"})
    entry = make.TrailEntryFactory(code="export", data={"reason": said})
    pause, taken = make.PauseFactory(reason=said), make.DifferenceFactory(reason=said)
    record = make.ApprovalRecordFactory(order=order, opinion=said)
    migrate(cut_reasons)
    for row in (event, undone, plain, entry, pause, taken, record):
        row.refresh_from_db()
    assert (event.data, undone.data["detail"]) == ({"reason": "新密码 ***", "seen": 3}, "新密码 ***")
    assert (plain.data, entry.data) == ({"reason": "客户要求", "password": "x"}, {"reason": "新密码 ***"})
    assert (pause.reason, taken.reason, record.opinion) == ("新密码 ***", "新密码 ***", said)
    notes = TrailEntry.objects.filter(code="secrets_cut").order_by("pk")
    assert [row.data for row in notes] == [{"count": 1, "rows": "TrailEntry"}, {"count": 2, "rows": "OrderEvent"}]
    for row in (event, entry):
        with pytest.raises(Error), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(data={})
    migrate(cut_reasons)
    assert notes.count() == 2


def test_a_trail_without_secrets_is_left_alone():
    whole(PLAIN[0])
    migrate()
    assert TrailEntry.objects.count() == 1


def test_the_guard_comes_back_after_an_error():
    row = whole(SECRETS[0])
    with pytest.raises(ValueError, match="stopped"), entries.lifted(connection):
        raise ValueError("stopped")
    assert is_guarded(row)


def test_what_an_older_worker_still_writes_is_neither_shown_nor_sent(capsys):
    whole(["shell", "-c", f"create_superuser(**{{'password': '{PASSWORD}'}})"])
    [act] = newest_acts(TrailFilter(), number=9)
    assert PASSWORD not in act.details
    assert PASSWORD not in message(act).decode()
    call_command("audit", json=True)
    assert PASSWORD not in capsys.readouterr().out
