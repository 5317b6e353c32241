"""During a change of a secret, the old one is valid beside the new one. `status` shows when the old one was last used
(contract 4 and 5).
"""

import datetime
import json
import re

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as live_settings
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from integrations.base import old_secrets
from integrations.bboss.sample_envelope import signed_envelope
from integrations.bpm.callback_signature import sign
from integrations.models import SecretUse
from orders.models import Order
from project.accounts.passwords.links import INVITATION, link
from project.accounts.second_factor.codes import use_code
from project.base.settings_table import TABLE
from project.models import AuthenticatorApp, User
from tests import factories
from tests.admin.orders import staff
from tests.bboss_messages import URL, accepted, post_order
from tests.bpm_messages import approval
from tests.processes.orders import trial

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:orders_order_changelist")


@pytest.fixture(autouse=True)
def written_at_once(monkeypatch):
    """Writes the use of a secret at once, in the test's own thread and transaction."""
    monkeypatch.setattr(old_secrets, "start_thread", lambda work, *args: work(*args))
    monkeypatch.setattr(old_secrets, "_noted", {})
    monkeypatch.setattr(old_secrets.connections, "close_all", lambda: None)


def told(capsys) -> dict[tuple[str, int], str | None]:
    """Returns {(setting, number): when it was last used} from `status --json`."""
    with pytest.raises(Exception, match="wrong"):  # the reason is that no worker runs
        call_command("status", "--json")
    rows = json.loads(capsys.readouterr().out)["old_secrets"]
    return {(row["setting"], row["number"]): row["last_used"] for row in rows}


def code(reply: dict) -> str:
    return reply["response"]["rspCode"]


def post_as(client, settings, number: int, secret: str) -> dict:
    """Posts an order that BBOSS signs with this secret, whatever secret is in force on the desk."""
    ours, settings.BBOSS_APP_SECRET = settings.BBOSS_APP_SECRET, secret
    envelope = signed_envelope(trial(number), now=timezone.now())
    settings.BBOSS_APP_SECRET = ours
    return client.post(URL, json.dumps(envelope).encode(), content_type="application/json").json()


def test_bboss_may_sign_by_the_old_secret_until_it_is_taken_away(client, clock, settings, capsys):
    settings.BBOSS_APP_SECRET, settings.BBOSS_APP_SECRETS_OLD = "the-new-one", ["older", "the-old-one"]
    assert accepted(post_as(client, settings, 1, "the-new-one"))
    unused = {("BBOSS_APP_SECRETS_OLD", 1): None, ("BBOSS_APP_SECRETS_OLD", 2): None}
    tokens = {("BBOSS_ACCESS_TOKENS", 2): None}
    assert told(capsys) == unused | tokens
    assert accepted(post_as(client, settings, 2, "the-old-one"))
    assert told(capsys) == unused | tokens | {("BBOSS_APP_SECRETS_OLD", 2): "2023-09-20T18:54:36+08:00"}
    settings.BBOSS_APP_SECRETS_OLD = []
    assert code(post_as(client, settings, 3, "the-old-one")) == "20208"
    assert Order.objects.count() == 2
    assert told(capsys) == tokens


def test_old_secrets_let_nobody_sign_where_none_is_in_force(client, settings):
    settings.BBOSS_APP_SECRET, settings.BBOSS_APP_SECRETS_OLD = "", ["the-old-one"]
    assert code(post_as(client, settings, 1, "the-old-one")) == "20208"


def test_the_token_that_was_issued_last_is_the_new_one(client, clock, settings, capsys):
    old, new = (
        f"20991231235959{letter * 32}-1234-{issued}" for letter, issued in (("a", 1700000000), ("b", 1800000000))
    )
    settings.BBOSS_ACCESS_TOKENS = [old, new]
    assert accepted(post_order(client, trial(1), accessToken=new))
    assert told(capsys) == {("BBOSS_ACCESS_TOKENS", 1): None}
    assert accepted(post_order(client, trial(2), accessToken=old))
    assert told(capsys) == {("BBOSS_ACCESS_TOKENS", 1): "2023-09-20T18:54:36+08:00"}


def test_a_stranger_who_knows_a_token_does_not_count_as_its_use(client, settings):
    old = live_settings.BBOSS_ACCESS_TOKENS[1]
    envelope = signed_envelope(trial(1), now=timezone.now(), overrides={"accessToken": old}) | {"sign": "0" * 32}
    client.post(URL, json.dumps(envelope).encode(), content_type="application/json")
    assert not SecretUse.objects.exists()


def test_bpm_may_sign_by_the_old_secret(client, clock, settings, capsys):
    settings.BPM_CALLBACK_SECRET, settings.BPM_CALLBACK_SECRETS_OLD = "the-new-one", ["the-old-one"]
    body = json.dumps(approval("unknown")).encode()

    def call(secret):
        signed = {"X-Signature": sign(body, secret)}
        return client.post("/api/bpm/approvals", body, content_type="application/json", headers=signed).status_code

    assert (call("the-new-one"), call("the-old-one"), call("")) == (404, 404, 401)
    assert told(capsys)["BPM_CALLBACK_SECRETS_OLD", 1] == "2023-09-20T18:54:36+08:00"
    settings.BPM_CALLBACK_SECRETS_OLD = []
    assert call("the-old-one") == 401


@pytest.fixture
def changed_key(settings):
    """Returns a function that changes SECRET_KEY. The key before it becomes the fallback."""

    def change():
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-key"
        monkey.setattr("django_q.conf.Conf.SECRET_KEY", "another-key")

    with pytest.MonkeyPatch.context() as monkey:
        yield change


def test_a_session_outlives_a_change_of_the_key_and_is_signed_anew(client, clock, settings, changed_key, capsys):
    client.force_login(staff("orders.view_order", name="wang"))
    changed_key()
    second = Client()  # a second request of the same page, at the same moment
    second.cookies = client.cookies.__class__(client.cookies.output(header="", sep=";"))
    assert client.get(PAGE).status_code == 200
    assert second.get(PAGE).status_code == 200
    assert told(capsys)["SECRET_KEY_FALLBACKS", 1] == "2023-09-20T18:54:36+08:00"
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(PAGE).status_code == 200


def test_a_session_of_an_old_key_that_nobody_used_ends_with_the_key(client, settings, changed_key):
    client.force_login(staff("orders.view_order", name="wang"))
    changed_key()
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(PAGE).status_code == 302


def test_a_log_in_still_gives_a_session_another_key(client, settings, changed_key):
    user = staff("orders.view_order", name="wang")
    user.set_password("right")
    user.save()
    session = client.session  # the session of somebody who has not logged in yet
    session["anything"] = 1
    session.save()
    changed_key()
    before = client.cookies["sessionid"].value
    client.post(reverse("admin:login"), {"username": "wang", "password": "right"})
    after = client.cookies["sessionid"].value
    assert before != after
    assert client.get(PAGE).status_code == 200


def test_tasks_that_an_old_key_signed_are_read(clock, monkeypatch, changed_key, capsys):
    """Tasks that wake up the worker, exports and bulk runs are signed with SECRET_KEY."""
    monkeypatch.setitem(live_settings.Q_CLUSTER, "poll", 0)
    async_task("integrations.tasks.sweep", "argument")
    changed_key()
    clock.shift(1)
    [(receipt, payload)] = get_broker().dequeue()
    assert SignedPackage.loads(payload)["args"] == ("argument",)
    assert told(capsys)["SECRET_KEY_FALLBACKS", 1] == "2023-09-20T18:54:37+08:00"


def test_a_task_of_an_unknown_key_is_given_to_django_q_as_it_is(monkeypatch, settings, changed_key):
    monkeypatch.setitem(live_settings.Q_CLUSTER, "poll", 0)
    async_task("integrations.tasks.sweep")
    changed_key()
    settings.SECRET_KEY_FALLBACKS = ["a-third-one"]
    [(receipt, payload)] = get_broker().dequeue()
    assert payload == OrmQ.objects.get(pk=receipt).payload


def test_a_link_that_sets_a_password_outlives_a_change_of_the_key_and_counts_as_its_use(changed_key, clock, capsys):
    user = factories.UserFactory()
    address = link(user, INVITATION)
    changed_key()
    assert told(capsys)["SECRET_KEY_FALLBACKS", 1] is None
    assert Client().get(address)["Location"] == reverse("password_link")
    assert told(capsys)["SECRET_KEY_FALLBACKS", 1] == "2023-09-20T18:54:36+08:00"


def test_a_second_factor_uses_the_old_key_once(clock, settings, capsys):
    old, settings.MFA_KEY = (Fernet.generate_key().decode() for _ in range(2))
    settings.MFA_KEYS_OLD = [old]
    user = User.objects.create_user("wang")
    AuthenticatorApp.objects.create(user=user, secret=Fernet(old).encrypt(b"x" * 20).decode(), last_step=0)
    for _ in range(2):
        assert use_code(user, f"{totp(b'x' * 20):06}", now=timezone.now())
        assert told(capsys)["MFA_KEYS_OLD", 1] == "2023-09-20T18:54:36+08:00"
        clock.shift(3600)


def test_a_use_is_written_once_a_minute(settings, django_assert_num_queries):
    settings.BBOSS_APP_SECRETS_OLD = ["the-old-one", live_settings.BBOSS_APP_SECRET]
    with django_assert_num_queries(1):
        for _ in range(50):
            old_secrets.note_use(old_secrets.APP_SECRET, "the-old-one")
            old_secrets.note_use(old_secrets.APP_SECRET, live_settings.BBOSS_APP_SECRET)


def test_a_use_that_cannot_be_written_refuses_nothing(client, settings, monkeypatch, caplog):
    def away(*args, **more):
        raise OperationalError("gone")

    monkeypatch.setattr(SecretUse.objects, "bulk_create", away)
    settings.BBOSS_APP_SECRET, settings.BBOSS_APP_SECRETS_OLD = "the-new-one", ["the-old-one"]
    assert accepted(post_as(client, settings, 1, "the-old-one"))
    assert "BBOSS_APP_SECRETS_OLD" in caplog.text
    assert "the-old-one" not in caplog.text


def test_status_says_it_in_a_line(settings, clock, capsys):
    factories.HeartbeatFactory(seen_at=timezone.now() - datetime.timedelta(seconds=5))
    settings.BPM_CALLBACK_SECRETS_OLD = ["the-old-one", "older"]
    settings.BBOSS_ACCESS_TOKENS = settings.BBOSS_ACCESS_TOKENS[:1]
    old_secrets.note_use(old_secrets.CALLBACK_SECRET, "older")
    call_command("status")
    said = re.findall("^old secret   (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert said == [
        "BPM_CALLBACK_SECRETS_OLD, number 1: never used",
        "BPM_CALLBACK_SECRETS_OLD, number 2: last used 2023-09-20T18:54:36+08:00",
    ]


def test_a_list_of_secrets_is_read_without_spaces():
    assert TABLE["BBOSS_APP_SECRETS_OLD"].read("BBOSS_APP_SECRETS_OLD", " one , ,two ") == ["one", "two"]
