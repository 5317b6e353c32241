"""The second factor beside a password (contract 4, MFA_REQUIRED), from the first log-in to a lost phone."""

import html
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp

from orders.models import OrderEvent, TrailEntry
from project.accounts.company.company_login_pages import ID_TOKEN
from project.accounts.second_factor import codes
from project.accounts.second_factor.login_code_page import PENDING
from project.checks import TAG
from project.models import AccountSession, AuthenticatorApp, FailedLogin, RecoveryCode, User
from tests import factories
from tests.admin.rows import guessed
from tests.admin.walking import is_in

pytestmark = pytest.mark.django_db
LOGIN, CODE, OWN = (reverse(f"admin:{name}") for name in ("login", "login_code", "second_factor"))
PAGE = reverse("admin:orders_order_changelist")
TRAIL = reverse("admin:trail")
RIGHT = {"username": "wang", "password": "right", "next": PAGE}


@pytest.fixture(autouse=True)
def everybody(settings, clock):
    settings.MFA_REQUIRED, settings.MFA_KEY = "everybody", Fernet.generate_key().decode()


@pytest.fixture
def wang():
    return User.objects.create_superuser("wang", password="right")


class Phone:
    """An authenticator app that has the key shown on the page and computes its codes."""

    def __init__(self, page: str):
        key = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page)[1]
        self.key = codes.base64.b32decode(key.replace(" ", ""))

    def code(self, *, steps: int = 0) -> str:
        """Returns the code of now, or the code that is valid `steps` times 30 seconds later."""
        return f"{totp(self.key, t0=-30 * steps):06}"


def text_of(answer) -> str:
    return html.unescape(answer.content.decode())


def recovery_codes(answer) -> list[str]:
    shown = re.search(r'<pre[^>]* id="recovery-codes">([^<]*)</pre>', text_of(answer))
    return shown[1].split() if shown else []


def with_password(client=None, **more):
    """Returns a client that has entered the right password and is asked for a code."""
    client = client or Client()
    assert client.post(LOGIN, RIGHT | more)["Location"] == CODE
    return client


def set_up(client=None) -> tuple[Client, Phone, list[str]]:
    """Sets up the second factor at a first log-in, and returns the client, the phone and the recovery codes."""
    client = with_password(client)
    phone = Phone(text_of(client.get(CODE)))
    answer = client.post(CODE, {"new_code": phone.code()})
    return client, phone, recovery_codes(answer)


@pytest.fixture
def owner(wang, clock):
    """Returns (client, phone, recovery codes) of wang. The time has moved on, so the phone shows a new code."""
    found = set_up()
    clock.shift(60)
    return found


def enter(code: str, client=None, **more):
    """Returns the answer to a code that is entered after the right password."""
    return with_password(client).post(CODE, {"code": code}, **more)


def kinds():
    return list(OrderEvent.objects.order_by("pk").values_list("kind", flat=True))


# --- The first log-in sets up the factor


def test_the_first_log_in_sets_it_up_and_shows_ten_recovery_codes_once(wang):
    client = with_password()
    assert not is_in(client)
    page = text_of(client.get(CODE))
    assert 'src="data:image/svg+xml' in page
    phone = Phone(page)
    assert Phone(text_of(client.get(CODE))).key == phone.key  # a page that is loaded again shows the same key
    assert client.post(CODE, {"new_code": "123456"}).status_code == 200
    assert not is_in(client)
    answer = client.post(CODE, {"new_code": phone.code()})
    assert len(set(recovery_codes(answer))) == 10
    assert f'href="{PAGE}"' in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert is_in(client)
    assert recovery_codes(client.get(OWN)) == []
    assert client.get(CODE)["Location"] == LOGIN
    assert enter(phone.code()).status_code == 200  # the code that set up the factor can't be used again
    assert kinds() == ["second_factor_set"]


def test_neither_secret_nor_codes_lie_in_the_database_or_the_log_unencrypted(wang, lines):
    client = with_password()
    page = text_of(client.get(CODE))
    key = re.search(r'class="key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    kept = [str(Session.objects.get(session_key=client.session.session_key).get_decoded())]
    made = recovery_codes(client.post(CODE, {"new_code": Phone(page).code()}))
    kept += [str(list(model.objects.values())) for model in (AuthenticatorApp, RecoveryCode, OrderEvent, TrailEntry)]
    kept += [str(client.session.items()), str(lines()), audit()]
    raw = codes.base64.b32decode(key)
    secrets = [key, raw.hex(), repr(raw)[2:-1], codes.base64.b64encode(raw).decode()]
    secrets += [form for code in made for form in (code, code.replace("-", ""))]
    assert [secret for secret in secrets for text in kept if secret in text] == []


def audit() -> str:
    out = io.StringIO()
    call_command("audit", json=True, stdout=out)
    return out.getvalue()


def test_two_browsers_at_their_first_log_in_make_one_app(wang):
    first, second = with_password(), with_password()
    phones = [Phone(text_of(one.get(CODE))) for one in (first, second)]
    assert recovery_codes(first.post(CODE, {"new_code": phones[0].code()}))
    assert second.post(CODE, {"new_code": phones[1].code()}).status_code == 200
    assert not is_in(second)
    assert AuthenticatorApp.objects.count() == 1


def test_an_emergency_account_sets_it_up_anew_after_its_link(owner, wang, settings):
    settings.SITE_URL = "http://testserver"
    out = io.StringIO()
    call_command("emergency_account", "wang", by="li", stdout=out)
    assert kinds()[-2:] == ["emergency_marked", "second_factor_reset"]
    settings.PASSWORD_LOGIN = "emergency"
    client, word = Client(), "Xuanwu-Lake-1368"
    client.get(re.search(r"http://testserver(/\S+)", out.getvalue())[1])
    answer = client.post(reverse("emergency_link"), {"new_password1": word, "new_password2": word})
    assert answer["Location"] == LOGIN
    with_password(client, password=word)
    page = text_of(client.get(CODE))
    assert not is_in(client)
    assert client.post(CODE, {"new_code": Phone(page).code()}).status_code == 200
    assert is_in(client)


# --- Entering a code


def test_a_code_of_the_app_leads_on_where_one_was_going_and_counts_once(owner):
    _browser, phone, _codes = owner
    client = with_password()
    assert not is_in(client)
    assert "svg+xml" not in text_of(client.get(CODE))
    answer = client.post(CODE, {"code": phone.code()})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert is_in(client)
    assert enter(phone.code()).status_code == 200


@pytest.mark.parametrize("steps, counts", [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_half_a_minute_off_is_right(owner, clock, steps, counts):
    clock.shift(60)
    answer = enter(owner[1].code(steps=steps))
    assert answer.status_code == (302 if counts else 200)


def test_no_older_code_counts_after_a_newer_one(owner, clock):
    assert enter(owner[1].code(steps=1)).status_code == 302
    assert enter(owner[1].code()).status_code == 200


def test_a_recovery_code_counts_once_and_the_page_says_how_many_are_left(owner, clock):
    code = owner[2][3]
    client = Client()
    assert enter(code.upper().replace("-", " "), client)["Location"] == PAGE
    assert "还剩 9 个恢复码" in text_of(client.get(PAGE))
    assert enter(code).status_code == 200
    event = OrderEvent.objects.get(kind="recovery_code_used")
    assert (event.actor, event.data["left"]) == ("staff:wang", 9)


def test_others_codes_do_not_count(owner):
    User.objects.create_superuser("li", password="right")
    other = with_password(username="li")
    phone = Phone(text_of(other.get(CODE)))
    theirs = recovery_codes(other.post(CODE, {"new_code": phone.code()}))
    assert enter(theirs[0]).status_code == 200


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "１２３４５６", "abcdef", "\0", "x" * 5000, "<script>", "a" * 16, "-" * 20]
)
def test_rubbish_is_a_wrong_code(owner, code):
    answer = enter(code)
    assert answer.status_code == 200
    assert "errorlist" in text_of(answer)


# --- Guessing codes


def test_wrong_codes_count_as_wrong_passwords_and_lock_name_and_address(owner, clock):
    answers = []
    for _ in range(5):
        answers.append(enter("000000").status_code)
        clock.shift(40)
    assert answers == [200] * 4 + [429]
    assert Client().post(LOGIN, RIGHT).status_code == 429
    right = Client().post(LOGIN, RIGHT, REMOTE_ADDR="10.0.0.9")
    assert right["Location"] == CODE
    rows = [(row.code, row.about, row.data.get("why")) for row in TrailEntry.objects.filter(code__startswith="login_")]
    assert rows[:4] == [("login_failed", "wang", "code")] * 4
    assert rows[4][0] == "login_locked"
    assert "000000" not in str(list(FailedLogin.objects.values()))


def test_a_browser_behind_the_password_is_locked_too(owner, clock):
    client, right = with_password(), owner[1]
    for _ in range(5):
        client.post(CODE, {"code": "000000"})
        clock.shift(40)
    assert client.post(CODE, {"code": right.code()}).status_code == 429
    assert not is_in(client)


def test_after_a_wrong_code_the_next_counts_a_little_later(owner, clock):
    addresses = (f"10.0.0.{number}" for number in range(200))
    waits = []
    for _ in range(7):
        enter("000000", REMOTE_ADDR=next(addresses))
        app = AuthenticatorApp.objects.get()
        waits.append(codes.seconds_to_wait(app, now=timezone.now()))
        assert "后再试" in text_of(enter(owner[1].code(), REMOTE_ADDR=next(addresses)))
        clock.shift(waits[-1] + 1)
    assert waits == [1, 2, 4, 8, 16, 32, 32]
    assert enter(owner[1].code(), REMOTE_ADDR=next(addresses)).status_code == 302


@pytest.mark.whole
def test_a_name_that_everybody_guesses_is_slow_and_its_owner_gets_in(owner, clock):
    """Wrong codes count like wrong passwords. While everybody guesses a name's codes, the next log-in has to wait, but
    its owner gets in.
    """
    guessed(96)
    for number in range(4):
        assert enter("000000", REMOTE_ADDR=f"10.2.0.{number}").status_code == 200
        clock.shift(250)
    client = Client()
    answer = client.post(LOGIN, RIGHT)
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    clock.shift(6)
    assert enter(owner[1].code(), client)["Location"] == PAGE


# --- Between the password and the code


def test_the_state_between_ends_after_ten_minutes(owner, clock):
    client = with_password()
    clock.shift(9 * 60 + 59)
    assert client.get(CODE).status_code == 200
    clock.shift(1)
    answer = client.post(CODE, {"code": owner[1].code()})
    place = urlsplit(answer["Location"])
    assert (place.path, parse_qs(place.query)) == (LOGIN, {"ended": ["code"], "next": [PAGE]})
    assert "没有及时输入" in text_of(client.get(answer["Location"]))
    assert not is_in(client)
    assert PENDING not in client.session


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, "password"])
def test_it_ends_with_the_account_or_its_password(owner, wang, change):
    client = with_password()
    if change == "password":
        wang.set_password("another")
        wang.save()
    else:
        User.objects.filter(pk=wang.pk).update(**change)
    assert client.post(CODE, {"code": owner[1].code()})["Location"].startswith(LOGIN)
    assert not is_in(client)


@pytest.mark.parametrize("address", [CODE, OWN, f"{OWN}?anew=1"])
def test_without_a_password_there_is_no_page(client, address):
    for answer in (client.get(address), client.post(address, {"code": "123456"})):
        assert answer["Location"].startswith(LOGIN)


def test_a_session_that_somebody_planted_is_not_the_one_that_opens(owner):
    """The session's key changes at the password and again at the code. A session key that somebody else planted is
    never the one that is logged in.
    """
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    keys = [session.session_key]
    with_password(client)
    keys.append(client.session.session_key)
    client.post(CODE, {"code": owner[1].code()})
    keys.append(client.session.session_key)
    assert len(set(keys)) == 3
    assert not Session.objects.filter(session_key__in=keys[:2]).exists()


def test_a_session_of_somebody_else_ends_at_the_password(owner, keeper):
    client = with_password(keeper())
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("wanted", ["https://evil.example.com/", "//evil.example.com", "javascript:alert(1)"])
def test_where_one_may_not_go_the_desk_follows(owner, wanted):
    client = with_password(next=wanted)
    assert client.post(CODE, {"code": owner[1].code()})["Location"] == reverse("admin:index")


# --- Who is asked for a code


@pytest.mark.parametrize("required, asked", [("nobody", False), ("administrators", True), ("everybody", True)])
def test_whom_it_asks(wang, settings, required, asked):
    settings.MFA_REQUIRED = required
    assert (Client().post(LOGIN, RIGHT)["Location"] == CODE) is asked


@pytest.mark.parametrize("right, asked", [("add_user", True), ("change_user", True), ("view_user", False)])
def test_administrators_are_who_may_manage_accounts_whatever_their_role(settings, right, asked, member):
    settings.MFA_REQUIRED = "administrators"
    user = User.objects.create_user("wang", password="right", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename=right))
    assert (Client().post(LOGIN, RIGHT)["Location"] == CODE) is asked
    viewer = User.objects.create_superuser("viewer")
    viewer.set_unusable_password()
    viewer.save()
    client = Client()
    client.force_login(viewer)
    page = text_of(client.get(reverse("admin:project_user_changelist")))
    assert ("未设置" in page) is asked


def test_a_session_from_before_is_asked_at_its_next_page(wang, settings):
    settings.MFA_REQUIRED = "nobody"
    client = Client()
    client.post(LOGIN, RIGHT)
    assert is_in(client)
    settings.MFA_REQUIRED = "everybody"
    answer = client.get(f"{PAGE}?q=20", headers={"Desk-Poll": "1"})
    place = urlsplit(answer["Desk-Door"])
    assert (place.path, parse_qs(place.query)) == (LOGIN, {"ended": ["factor"], "next": [f"{PAGE}?q=20"]})
    assert "现在需要" in text_of(client.get(answer["Desk-Door"]))
    assert not is_in(client)
    client, _phone, made = set_up(client)
    assert made
    assert is_in(client)


def test_an_account_that_becomes_an_administrator_is_asked_at_its_next_page(settings):
    settings.MFA_REQUIRED = "administrators"
    user = User.objects.create_user("wang", password="right", is_staff=True)
    client = Client()
    client.post(LOGIN, RIGHT)
    assert is_in(client)
    user.user_permissions.set(Permission.objects.filter(codename="change_user"))
    assert "ended=factor" in client.get(reverse("admin:index"))["Location"]


def test_where_nobody_is_asked_pages_look_for_no_factor_and_say_so(wang, settings, django_assert_max_num_queries):
    settings.MFA_REQUIRED = "nobody"
    client = Client()
    client.post(LOGIN, RIGHT)
    with django_assert_max_num_queries(40) as captured:
        assert client.get(PAGE).status_code == 200
    assert [one["sql"] for one in captured.captured_queries if "authenticator" in one["sql"]] == []


def test_who_wants_one_sets_it_up_though_nobody_has_to_and_is_asked_for_it_then(wang, settings, clock):
    settings.MFA_REQUIRED = "nobody"
    client = Client()
    client.post(LOGIN, RIGHT)
    assert OWN in client.get(PAGE).text
    phone = Phone(text_of(client.get(OWN)))
    assert client.post(OWN, {"new_code": "000000"}).status_code == 200
    assert not AuthenticatorApp.objects.exists()
    made = recovery_codes(client.post(OWN, {"new_code": phone.code()}))
    assert len(made) == 10
    assert is_in(client)
    clock.shift(60)
    assert enter(phone.code()).status_code == 302
    other = with_password()
    assert not is_in(other)
    clock.shift(60)
    other.post(CODE, {"code": phone.code()})
    assert is_in(other)


def test_without_a_key_nobody_is_offered_one_or_asked_for_it(owner, wang, settings):
    settings.MFA_REQUIRED, settings.MFA_KEY = "nobody", ""
    client = Client()
    client.post(LOGIN, RIGHT)
    assert is_in(client)
    page = text_of(client.get(OWN))
    assert "不能设置" in page
    assert "<form method" not in page.partition('class="decide"')[2]


def test_the_company_log_in_asks_for_what_it_needs_itself(wang):
    client = Client()
    client.force_login(wang)
    assert not is_in(client)
    client.force_login(wang)
    session = client.session
    session[ID_TOKEN] = "x"
    session.save()
    assert is_in(client)


def test_a_log_in_is_counted_once_when_it_is_over(wang, monkeypatch, clock):
    counted = []
    for place in ("project.observability.request_log", "project.accounts.second_factor.login_code_page"):
        monkeypatch.setattr(f"{place}.count_login", lambda *outcome: counted.append(outcome))
    _client, phone, _codes = set_up()
    clock.shift(60)
    enter("000000")
    clock.shift(10)
    enter(phone.code())
    assert counted == [("password", "let_in"), ("password", "refused"), ("password", "let_in")]


# --- The page of one's own factor


def test_new_recovery_codes_take_a_code_and_end_the_old_ones(owner):
    client, phone, old = owner
    assert "还剩 10 个恢复码" in text_of(client.get(OWN))
    assert client.post(OWN, {"code": "000000"}).status_code == 200
    assert RecoveryCode.objects.count() == 10
    AuthenticatorApp.objects.get().throttle_reset()
    made = recovery_codes(client.post(OWN, {"code": phone.code()}))
    assert len(set(made) - set(old)) == 10
    assert enter(old[0]).status_code == 200
    AuthenticatorApp.objects.get().throttle_reset()
    assert enter(made[0]).status_code == 302
    assert "recovery_codes_made" in kinds()


def test_another_phone_takes_its_code_and_one_of_before_and_ends_the_other_sessions(owner, clock):
    client, phone, old = owner
    elsewhere = Client()
    enter(phone.code(), elsewhere)
    clock.shift(60)
    new = Phone(text_of(client.get(f"{OWN}?anew=1")))
    for wrong in ({"new_code": "000000", "code": old[0]}, {"new_code": new.code(), "code": "000000"}):
        assert recovery_codes(client.post(f"{OWN}?anew=1", wrong)) == []
        clock.shift(40)
    assert RecoveryCode.objects.count() == 10  # a wrong new code uses up no recovery code
    assert AuthenticatorApp.objects.count() == 1
    made = recovery_codes(client.post(f"{OWN}?anew=1", {"new_code": new.code(), "code": old[0]}))
    assert len(made) == 10
    assert is_in(client)
    assert not is_in(elsewhere)
    clock.shift(60)
    assert enter(phone.code()).status_code == 200
    clock.shift(60)
    assert enter(new.code()).status_code == 302


# --- A colleague's factor


@pytest.fixture
def keeper(settings):
    """Returns a function that makes an administrator's client. The administrator came in by the company log-in, so no
    page asks for a code.
    """

    def sign_in(*, superuser=False):
        user = User.objects.create_superuser("keeper") if superuser else factories.UserFactory(username="keeper")
        user.set_unusable_password()
        user.save()
        if not superuser:
            user.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
        client = Client()
        client.force_login(user)
        client.person = user
        return client

    return sign_in


def address(user):
    return reverse("admin:project_user_second_factor", args=[user.pk])


def test_an_administrator_resets_a_colleagues(keeper, clock):
    User.objects.create_user("wang", password="right", is_staff=True)
    user, (client, _phone, _old) = User.objects.get(username="wang"), set_up()
    admin = keeper()
    change = reverse("admin:project_user_change", args=[user.pk])
    assert address(user) in text_of(admin.get(change))
    assert "设置于" in text_of(admin.get(reverse("admin:project_user_changelist")))
    assert "不再有效" in text_of(admin.get(address(user)))
    assert AuthenticatorApp.objects.exists()  # opening the page changes nothing
    assert admin.post(address(user))["Location"] == change
    assert not AuthenticatorApp.objects.exists()
    assert not RecoveryCode.objects.exists()
    event = OrderEvent.objects.get(kind="second_factor_reset")
    assert (event.actor, event.data["account"]) == ("staff:keeper", "wang")
    user.refresh_from_db()
    assert str(admin.person.pk) in user.given_by
    assert not AccountSession.objects.filter(user=user).exists()
    assert client.get(reverse("admin:index"))["Location"].startswith(LOGIN)
    assert address(user) not in text_of(admin.get(change))
    page = text_of(with_password().get(CODE))
    assert Phone(page)
    assert '"second_factor_reset"' in audit()


@pytest.mark.parametrize("superuser, status", [(False, 403), (True, 302)])
def test_only_another_superuser_resets_a_superusers(owner, wang, keeper, superuser, status):
    # people can't reset their own factor on this page, which asks for no code
    assert owner[0].post(address(wang)).status_code == 403
    assert AuthenticatorApp.objects.exists()
    assert keeper(superuser=superuser).post(address(wang)).status_code == status
    assert AuthenticatorApp.objects.exists() is not superuser


def test_an_account_that_is_not_there(keeper):
    admin = keeper(superuser=True)
    for pk in ("999999", "x"):
        assert admin.post(f"/admin/project/user/{pk}/second-factor/").status_code == 404


# --- The key of the app


def test_another_key_takes_nobodys_app_and_the_next_use_moves_to_it(owner, settings, clock):
    old = settings.MFA_KEY
    settings.MFA_KEY, settings.MFA_KEYS_OLD = Fernet.generate_key().decode(), [old]
    assert enter(owner[1].code()).status_code == 302
    settings.MFA_KEYS_OLD = []
    clock.shift(60)
    assert enter(owner[1].code()).status_code == 302


def test_without_the_key_codes_are_wrong_and_recovery_codes_count(owner, settings, clock):
    settings.MFA_KEY = Fernet.generate_key().decode()
    assert enter(owner[1].code()).status_code == 200
    clock.shift(10)
    assert enter(owner[2][0]).status_code == 302


def test_a_key_that_changes_while_somebody_sets_up_begins_anew(wang, settings):
    client = with_password()
    before = Phone(text_of(client.get(CODE))).key
    settings.MFA_KEY = Fernet.generate_key().decode()
    assert Phone(text_of(client.get(CODE))).key != before


def errors() -> list[str]:
    return [message.msg for message in run_checks(tags=[TAG]) if message.id in {"desk.020", "desk.006"}]


@pytest.mark.parametrize(
    "change, named",
    [
        ({}, []),
        ({"MFA_KEY": ""}, ["MFA_KEY is empty"]),
        ({"MFA_KEY": "", "MFA_REQUIRED": "nobody"}, []),
        ({"MFA_KEY": "too-short", "MFA_REQUIRED": "nobody"}, ["MFA_KEY is no key"]),
        ({"MFA_KEY": "密钥"}, ["MFA_KEY is no key"]),
        ({"MFA_KEYS_OLD": [Fernet.generate_key().decode(), "x"]}, ["MFA_KEYS_OLD: key 2 is no key"]),
        ({"MFA_REQUIRED": "all"}, ["MFA_REQUIRED must be"]),
    ],
)
def test_the_start_names_what_is_wrong(settings, change, named):
    for name, value in change.items():
        setattr(settings, name, value)
    found = errors()
    assert [text.startswith(word) for text, word in zip(found, named, strict=True)] == [True] * len(named)
    assert "too-short" not in str(found)


# --- What is told to the owner


def test_the_trail_tells_of_each(owner, member, settings, clock):
    enter("000000")
    clock.shift(10)
    enter(owner[2][0])
    rows = [(row.code, row.data.get("way") or row.data.get("why")) for row in TrailEntry.objects.order_by("pk")]
    assert rows == [("login", "code"), ("login_failed", "code"), ("login", "code")]
    told = audit()
    for kind in ("second_factor_set", "recovery_code_used"):
        assert f'"{kind}"' in told
    assert LogEntry.objects.count() == 0
    settings.MFA_REQUIRED = "nobody"
    page = text_of(member("审计员").get(TRAIL))
    assert "密码和验证码" in page
    assert "验证码不对" in page
