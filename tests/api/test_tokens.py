"""Callers need a valid token, which defines what they may read. Each call is noted."""

import datetime
import time
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from integrations.api import tokens
from integrations.api.authentication import Reader, TokenThrottle
from integrations.api.tokens import PREFIX, make_token, revoke_token
from integrations.models import ApiToken
from orders.models import OrderEvent
from orders.texts.errors import NotAllowedError
from tests import factories as make
from tests.api.conftest import System, another_writer

pytestmark = pytest.mark.django_db
ORDERS = "/api/orders/"
ADDRESSES = (ORDERS, f"{ORDERS}A1/", "/api/customers/A1/billing/")
YEAR = datetime.timedelta(days=365)


def made(**token):
    now = timezone.now()
    base = {"system": "BBOSS", "letters": None, "personal": False, "valid_until": (now + YEAR).date()}
    return make_token(**base | token, by="staff:boss", now=now)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer ibs_nothing",
        "Bearer \xff",
        "Bearer " + "x" * 5000,
        "Token ibs_0001",
        "Bearer a b",
    ],
)
def test_without_a_token_nothing_is_told(client, header):
    make.ApiTokenFactory()
    for address in ADDRESSES:
        answer = client.get(address, headers={"Authorization": header} if header else {})
        assert (answer.status_code, list(answer.json())) == (401, ["error"])
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_was_made_reads_and_only_its_hash_is_kept(client):
    cache.clear()
    row, text = made()
    assert System(client, text).get(ORDERS).status_code == 200
    assert text.startswith(PREFIX)
    assert len(text) > 40
    kept = [str(value) for value in ApiToken.objects.filter(pk=row.pk).values_list()[0]]
    assert not [value for value in kept if text in value]
    assert text.startswith(row.begins)
    assert text not in str([event.data for event in OrderEvent.objects.all()])


@pytest.mark.parametrize(
    "token, said",
    [
        ({"revoked_at": make.NOW, "revoked_by": "staff:boss"}, "revoked"),
        ({"valid_until": datetime.date(2023, 9, 19)}, "2023-09-19"),
    ],
)
def test_a_token_that_is_over_is_refused_with_the_reason(system, clock, token, said):
    answer = system(**token).get(ORDERS)
    assert answer.status_code == 401
    assert said in answer.json()["error"]


def test_it_works_on_its_last_day(system, clock):
    assert system(valid_until=datetime.date(2023, 9, 20)).get(ORDERS).status_code == 200


def test_revoking_counts_at_once_and_is_an_event(client):
    row, text = made()
    revoke_token(pk=row.pk, reason="离职", by="staff:boss", now=timezone.now())
    assert System(client, text).get(ORDERS).status_code == 401
    events = OrderEvent.objects.order_by("pk").values_list("kind", "actor", "data__system")
    assert list(events) == [("api_token_made", "staff:boss", "BBOSS"), ("api_token_revoked", "staff:boss", "BBOSS")]


def test_a_system_has_one_token_in_force_however_its_name_is_written():
    row, _text = made()
    for system in ("BBOSS", "bboss"):
        with pytest.raises(NotAllowedError, match=f"{system} has a token in force"):
            made(system=system)
    revoke_token(pk=row.pk, reason="x", by="staff:boss", now=timezone.now())
    made()


def test_a_new_token_revokes_the_one_of_its_system_that_expired(clock):
    row, _text = made()
    clock.shift(YEAR + datetime.timedelta(days=1))
    made(system="bboss")
    assert (make.fresh(row).revoked_by, row.revoked_at) == ("staff:boss", timezone.now())
    kinds = OrderEvent.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["api_token_made", "api_token_revoked", "api_token_made"]


@pytest.mark.parametrize("system", ["BB\u202eOSS", "BBOSS\n", "BB\u200bOSS", "\x1b[2J"])
def test_a_name_that_nobody_can_read_is_refused(system):
    with pytest.raises(NotAllowedError) as raised:
        made(system=system)
    assert raised.value.code == "name_unreadable"


def test_what_else_is_wrong_is_not_blamed_on_the_system(monkeypatch):
    monkeypatch.setattr(tokens.secrets, "token_urlsafe", lambda size: "the same")
    made()
    with pytest.raises(IntegrityError):
        made(system="BPM")


@pytest.mark.parametrize("reason", ["", "  "])
def test_revoking_needs_a_reason_and_happens_once(reason):
    row, _text = made()
    with pytest.raises(NotAllowedError):
        revoke_token(pk=row.pk, reason=reason, by="staff:boss", now=timezone.now())
    revoke_token(pk=row.pk, reason="x", by="staff:boss", now=timezone.now())
    with pytest.raises(NotAllowedError, match="revoked already"):
        revoke_token(pk=row.pk, reason="x", by="staff:boss", now=timezone.now())


@pytest.mark.parametrize("days, code, params", [(-1, "token_day_over", {}), (31, "token_too_long", {"days": 30})])
def test_a_token_ends_on_a_day_that_is_not_over_and_not_too_far_away(settings, days, code, params):
    settings.API_TOKEN_MAX_DAYS = 30
    today = timezone.localdate()
    with pytest.raises(NotAllowedError) as raised:
        made(valid_until=today + datetime.timedelta(days=days))
    assert (raised.value.code, raised.value.params) == (code, params)
    made(valid_until=today + datetime.timedelta(days=30))


def test_unknown_tokens_of_an_address_are_throttled_and_right_ones_are_not(system, client):
    caller = system()
    guess = System(client, "ibs_guess")
    codes = [guess.get(ORDERS).status_code for _ in range(63)]
    assert codes[:60] == [401] * 60
    assert codes[-1] == 429
    told = guess.get(ORDERS)
    assert (told["Retry-After"], list(told.json())) == ("60", ["error"])
    assert caller.get(ORDERS).status_code == 200
    assert client.get(ORDERS, headers=guess.headers, REMOTE_ADDR="10.9.9.9").status_code == 401


def test_a_token_stands_in_for_a_user_with_its_own_rights_only():
    reader = Reader(make.ApiTokenFactory(personal=True))
    assert reader.has_perms(["orders.view_order", "orders.see_personal_data"])
    assert not reader.has_perms(["orders.view_order", "orders.resend_order"])
    assert (reader.is_staff, reader.is_superuser, reader.get_all_permissions()) == (False, False, set())


def test_its_use_is_noted_once_a_minute(system, clock):
    caller = system()
    caller.get(ORDERS)
    first = ApiToken.objects.get().used_at
    clock.shift(59)
    caller.get(ORDERS)
    assert ApiToken.objects.get().used_at == first
    clock.shift(1)
    caller.get(ORDERS)
    assert ApiToken.objects.get().used_at == timezone.now()


def test_a_database_that_takes_no_writes_can_still_be_read(system, monkeypatch):
    refuse = Mock(side_effect=OperationalError("attempt to write a readonly database"))
    order = make.OrderFactory()
    caller = system(personal=True)
    monkeypatch.setattr("django.db.models.query.QuerySet.update", refuse)
    monkeypatch.setattr("integrations.api.views.note_personal_data_read", refuse)
    answer = caller.get(f"{ORDERS}{order.number}/", personal=1)
    assert answer.status_code == 200
    assert answer.json()["operator"]["phone"] == "137***00"


@pytest.mark.django_db(transaction=True)
def test_reading_does_not_wait_for_another_writer(system):
    caller = system()
    with another_writer():
        first, second = (seconds(caller, ORDERS) for _ in range(2))
        assert ApiToken.objects.get().used_at is None
    assert first < 5
    assert second < 5


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's writers do not wait for each other")
@pytest.mark.django_db(transaction=True)
def test_people_s_data_stay_masked_while_another_writes_for_long(system):
    address, caller = f"{ORDERS}{make.OrderFactory().number}/", system(personal=True)
    with another_writer():
        assert seconds(caller, address, personal=1) < 5
        assert caller.get(address, personal=1).json()["operator"]["phone"] == "137***00"
    assert caller.get(address, personal=1).json()["operator"]["phone"] == "13700000000"


def seconds(caller, address, **parameters):
    """Returns the duration of a call in seconds, and asserts that it is answered."""
    began = time.monotonic()
    assert caller.get(address, **parameters).status_code == 200
    return time.monotonic() - began


def test_who_calls_too_often_is_told_when_to_come_back(system, clock, monkeypatch):
    monkeypatch.setattr(TokenThrottle, "rate", "20/min")
    caller, other = system(), system()
    for _ in range(20):
        last = caller.get("/api/orders/none/")
    assert last.status_code == 404
    answer = caller.get(ORDERS)
    assert (answer.status_code, list(answer.json())) == (429, ["error"])
    assert 0 < int(answer["Retry-After"]) <= 60
    assert other.get(ORDERS).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_it_only_reads(client, method):
    for address in ADDRESSES:
        answer = getattr(client, method)(address)
        assert (answer.status_code, list(answer.json())) == (405, ["error"])
        assert set(answer["Allow"].split(", ")) == {"GET", "HEAD"}


def test_head_has_no_body(system):
    caller = system()
    answer = caller.client.head(ORDERS, headers=caller.headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == caller.get(ORDERS)["ETag"]


@pytest.mark.parametrize(
    "address",
    [
        "/api/orders/a/b/",
        "/api/orders/a%2Fb/",
        "/api/orders//",
        "/api/customers/x/",
        "/api/customers//billing/",
        "/api/customers/",
    ],
)
def test_an_address_that_is_not_there_is_answered_in_json(system, address):
    answer = system().get(address)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("name", ["If-Match", "If-Unmodified-Since"])
def test_conditions_for_writing_mean_nothing(system, name):
    value = '"x"' if name == "If-Match" else "Wed, 20 Sep 2023 10:00:00 GMT"
    answer = system().get(ORDERS, headers={name: value})
    assert (answer.status_code, answer.json()["results"]) == (200, [])


def test_an_outage_outside_of_the_views_is_answered_in_json(system, monkeypatch):
    caller = system()
    caller.client.raise_request_exception = False
    monkeypatch.setattr("project.base.middleware.names_read_once", Mock(side_effect=OperationalError("no connection")))
    answer = caller.get(ORDERS)
    assert (answer.status_code, list(answer.json()), answer["Retry-After"]) == (503, ["error"], "10")
    assert caller.get("/api/ordersx")["Content-Type"].startswith("text/html")


def test_a_database_that_is_away_is_503(system, monkeypatch):
    caller = system()
    monkeypatch.setattr(tokens.ApiToken.objects, "filter", Mock(side_effect=OperationalError("no connection")))
    answer = caller.get(ORDERS)
    assert (answer.status_code, list(answer.json())) == (503, ["error"])
