"""Tries each address of the staff's site as each kind of person, and compares the results with the tables of
docs/security.md.

A new page without a row in the tables fails the test, and so does a row without a page. `make test WHOLE=1` opens
every page as everybody. `make test` asks the admin's methods for every cell of the first table, and opens a share of
the pages as the first of PEOPLE. A run that names this file opens a share of the pages as everybody, another share for
each person.
"""

import copy
import datetime
import logging

import pytest
from django.contrib import admin
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse
from django_q.models import OrmQ

from integrations.models import ApiToken
from notifications.models import Mail
from orders.actions.all_actions import DECISIONS
from orders.history.actors import staff_actor
from orders.models import CalendarDay, OrderEvent, Pause, Province, ServiceType, TimeLimit, Timeline
from orders.office.bulk.models import BulkRun
from orders.office.exports.models import Export, ScheduledExport
from orders.restore.detect_restore import note_restored, read_restore_state
from project.models import AccountSession, AuthenticatorApp, FailedLogin, User
from tests import factories as make
from tests.admin.latin import english, fill_with_digits_and_chinese
from tests.admin.rows import kept_for_a_module, queued
from tests.admin.walking import (
    PAGES,
    PEOPLE,
    ask,
    content_type_of,
    in_turn,
    models,
    name_of,
    one_page_a_model,
    permitted,
    registered,
    rows,
    sign_in,
    standard,
)
from tests.test_documents import ROOT, rows_of

pytestmark = pytest.mark.django_db
everybody = pytest.mark.parametrize("letter", PEOPLE)
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def table(heading: str, columns: int) -> dict[str, list[str]]:
    """Reads a table of docs/security.md. Returns `{name in the first column: letters in each of the other columns}`."""
    rows = rows_of(heading, columns, SECURITY)
    found = {name.strip("`"): row[1:] for row in rows for name in row[0].split(", ")}
    return {name: [cell.replace(" ", "").replace("-", "") for cell in cells] for name, cells in found.items()}


KINDS = table("## Pages of each kind of row", 6)
OWN = table("## Other pages", 3)
DECIDE = {name: may for name, (may,) in table("## Decisions on an order", 2).items()}
INCIDENT_ACTS = {name: may for name, (may,) in table("## Acts on an incident", 2).items()}
FILE_ACTS = {name: may for name, (may,) in table("## Acts on an order's files", 2).items()}
OF_ALL = {name: may for name, (may,) in table("## Acts that concern all", 2).items()}
ANY_ROLE, ENGINE, ACCOUNTS = "BEAMPbeampoS", "EAMeamoS", "AMamoS"
APP_LISTS = {
    "orders": ANY_ROLE,
    "approvals": ANY_ROLE,
    "notifications": ANY_ROLE,
    "integrations": ANY_ROLE,
    "auth": ACCOUNTS,
    "django_q": ENGINE,
    "admin": ACCOUNTS,
    "project": ACCOUNTS,
}
VIEW_ACTS = ["save", "counts", "update", "rename", "share", "remove"]
ELSEWHERE = {  # tested below, except an import's pages: tests/entering
    "login", "logout", "view_on_site", "app_list", "orders_order_decide", "orders_order_recheck", "orders_order_upload",
    "orders_incident_act", "orders_order_import_review", "orders_order_import_annotated", "orders_export_judge",
    "orders_export_stop", "orders_scheduledexport_switch", "orders_scheduledexport_run",
    "notifications_mail_resend",
    *(f"orders_savedview_{act}" for act in VIEW_ACTS),  # tests/office/test_views.py
    "login_code",  # tests/admin/test_second_factor.py
    "inbox_open",  # tests/office/test_inbox.py
    "orders_askedact_confirm", "orders_askedact_call_off",  # tests/admin/test_four_eyes.py
    "orders_bulkrun_stop", "orders_bulkrun_go_on", "orders_order_resent", "integrations_apitoken_agree",
    "<path:object_id>/", "(?P<url>.*)$",
}  # fmt: skip


def differences(found):
    """Returns `{what: (answer, expected)}` for the answers that are not as expected."""
    return {what: (told, wanted) for what, (told, wanted) in found.items() if told != wanted}


def test_every_address_has_a_row():
    made = {f"{name}_{page}" for name in models() for page in PAGES}
    assert models() == set(KINDS)
    assert registered() - made == set(OWN) | ELSEWHERE
    assert set(DECIDE) == set(DECISIONS)


def wanted(letter, model, page):
    """Returns the answer that a page of the model should give to this kind of person, by the columns of KINDS."""
    lists, reads, adds, _changes, deletes = KINDS[model]
    if letter == "X":
        return "login"
    if page == "changelist":
        return "in" if letter in lists else "refused"
    if page == "add":
        return "in" if letter in adds else "refused"
    if page == "delete":
        hidden = letter in lists and letter not in reads and letter in adds + "S" * bool(adds)
        return "in" if letter in deletes else "unknown" if hidden else "refused"
    return "in" if letter in reads else "unknown" if letter in lists else "refused"


@pytest.fixture(scope="module")
def found(django_db_setup, django_db_blocker):
    """Rows for every page."""
    with kept_for_a_module(django_db_blocker):
        yield rows()


@pytest.fixture(autouse=True)
def quiet():
    """Switches off logging, because the test provokes hundreds of refusals and each would be logged with its
    traceback.
    """
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@everybody
@pytest.mark.each
def test_what_each_kind_of_row_permits(client, rf, found, letter):
    """Asks the admin's methods for the whole table. The other tests open the pages themselves."""
    request = rf.get("/")
    sign_in(client, letter)
    request.user = get_user(client)
    own = {name_of(model): one for model, one in admin.site._registry.items()}
    told = {name: permitted(one, request, found[name]) for name, one in own.items()}
    words = {(name, page): word for name, (pages, _may) in told.items() for page, word in pages.items()}
    assert differences({what: (word, wanted(letter, *what)) for what, word in words.items()}) == {}
    writers = {name: (may, tuple(letter in cell for cell in KINDS[name][2:])) for name, (_pages, may) in told.items()}
    assert differences(writers) == {}


@everybody
def test_who_reads_what(client, found, letter):
    asked = standard(found)
    staff = sign_in(client, letter)
    if letter == "S":
        fill_with_digits_and_chinese()
    asked = one_page_a_model(asked, letter)
    answers = {name: ask(staff, url) for name, url in asked.items()}
    assert differences({name: (answer.word, wanted(letter, *name)) for name, answer in answers.items()}) == {}
    assert letter != "S" or english(answers) == {}


@everybody
def test_who_writes_what(client, found, letter):
    """Answers: `in`: the form comes back with its errors. `away`: the act was done. `unknown`: the row belongs to
    another attribution.
    """
    asked = standard(found)
    staff, told = sign_in(client, letter), {}
    for place, (model, (lists, reads, *writers)) in enumerate(KINDS.items()):
        hidden = "unknown" if letter in lists and letter not in reads and letter in "".join(writers) else "refused"
        pages = zip(("add", "change", "delete"), writers, ({}, {}, {"post": "yes"}), strict=True)
        for page, allowed, data in [one for turn, one in enumerate(pages, place) if in_turn(letter, turn, 9)]:
            word = ask(staff, asked[model, page], data).word
            done = {"in", "away"} if page == "change" else {"away"} if page == "delete" else {"in"}
            no = {"login"} if letter == "X" else {hidden, "refused"} if page != "add" else {"refused"}
            told[model, page] = word in (done if letter in allowed else no) or word, True
    assert differences(told) == {}


def own_addresses(found, tmp_path, settings):
    """Returns the addresses of our own pages."""
    order = found["orders_order"]
    order.info_security = f"{order.number}_50004020027_20230920185339.xlsx"
    order.save()
    settings.ATTACHMENT_DIR = tmp_path
    (tmp_path / order.info_security).write_bytes(b"x")
    deputy = "?app_label=project&model_name=user&field_name=deputy"
    arguments = {
        "orders_order_file": [order.pk, "info_security"],
        "orders_customer_note": [found["orders_customer"].pk],
        "orders_order_print": [order.pk],
        "orders_order_preview": [order.pk],
        "orders_order_own": [order.pk],
        "orders_incident_own": [found["orders_incident"].pk],
        "orders_difference_own": [found["orders_difference"].pk],
        "orders_order_evidence": [order.pk],
        "orders_order_proof": [order.pk],
        "orders_pause_partner": ["bpm"],
        "orders_resume_partner": ["bpm"],
        "orders_export_new": ["orders"],
        "orders_bulkrun_new": ["note"],
        "orders_export_download": [found["orders_export"].pk],
        "orders_scheduledexport_edit": [found["orders_scheduledexport"].pk],
        "project_user_second_factor": [found["project_user"].pk],
        "project_user_standing": [found["project_user"].pk],
        "auth_user_password_change": [found["project_user"].pk],
        "project_user_sessions": [found["project_user"].pk],
        "project_user_leave": [found["project_user"].pk],
        "integrations_apitoken_revoke": [found["integrations_apitoken"].pk],
    }
    more = {"autocomplete": deputy, "orders_bulkrun_new": "?every=1"}
    return {name: reverse(f"admin:{name}", args=arguments.get(name)) + more.get(name, "") for name in OWN}


@everybody
def test_who_opens_our_own_pages(client, found, letter, tmp_path, settings):
    staff, told, answers = sign_in(client, letter), {}, {}
    if letter == "S":
        fill_with_digits_and_chinese()
    asked = own_addresses(found, tmp_path, settings)
    for place, (name, (allowed, unknown)) in enumerate(OWN.items()):
        if letter in allowed and not in_turn(letter, place, 4):
            continue
        answers[name] = ask(staff, asked[name])
        no = "login" if letter == "X" else "unknown" if letter in unknown else "refused"
        told[name] = answers[name].word, "in" if letter in allowed else no
    assert differences(told) == {}
    assert letter != "S" or english(answers) == {}


@everybody
def test_who_decides_what(client, letter):
    order = make.OrderFactory(attribution_id="BJ")
    incident = make.AffectedOrderFactory(order=order).incident
    staff, found = sign_in(client, letter), {}
    hidden = {"X": "login", "o": "unknown"}.get(letter, "refused")
    for place, (key, allowed) in enumerate(DECIDE.items()):
        url = reverse("admin:orders_order_decide", args=[order.pk, key])
        no = hidden if letter in allowed + "Xo" else "refused"
        size = 8 if letter in allowed else 4
        if in_turn(letter, place, size):
            found[key, "form"] = ask(staff, url).word, "in" if letter in allowed else no
        if in_turn(letter, place + 1, size):
            # whoever is allowed gets the form back with its error
            answer = ask(staff, url, {"reason": "", "seen": ""})
            back = "409" if key == "push" else "in"  # `push` needs no reason, so the order's state is checked
            found[key, "post"] = answer.word, back if letter in allowed else no
    url = reverse("admin:orders_order_recheck", args=[order.pk])
    found["recheck"] = ask(staff, url, {"x": "1"}).word, "away" if letter in "BEbeS" else hidden
    url = reverse("admin:orders_order_upload", args=[order.pk, "info_security"])
    found["upload"] = ask(staff, url, {"x": "1"}).word, "away" if letter in FILE_ACTS["upload"] else hidden
    tomorrow = f"{datetime.date.today() + datetime.timedelta(days=1)}T08:00"
    for key, allowed in INCIDENT_ACTS.items():
        url = reverse("admin:orders_incident_act", args=[incident.pk, key])
        no = "login" if letter == "X" else "refused"
        found[key, "act"] = ask(staff, url, {"note": "x", "until": tomorrow}).word, "away" if letter in allowed else no
        asks = key in {"resolve", "ignore", "sleep"}
        found[key, "get"] = ask(staff, url).word, ("in" if asks else "away") if letter in allowed else no
    assert differences(found) == {}


@everybody
def test_the_rest_of_the_site(client, found, letter):
    staff, told = sign_in(client, letter), {}
    anonymous = letter == "X"
    for label, allowed in APP_LISTS.items():
        word = ask(staff, reverse("admin:app_list", args=[label])).word
        told[label] = word, "login" if anonymous else "in" if letter in allowed else "unknown"
    for place, (name, row) in enumerate(found.items()):
        url = reverse("admin:view_on_site", args=[content_type_of(row), row.pk])
        if in_turn(letter, place, 12):
            told[name, "site"] = ask(staff, url).word, "login" if anonymous else "unknown"
        bare = reverse(f"admin:{name}_changelist") + f"{row.pk}/"
        if in_turn(letter, place + 1, 12):
            told[name, "bare"] = ask(staff, bare).word, "login" if anonymous else "away"
    told["nowhere"] = ask(staff, "/admin/nowhere/").word, "login" if anonymous else "unknown"
    told["login"] = ask(staff, reverse("admin:login")).word, "in" if anonymous else "away"
    told["logout"] = ask(staff, reverse("admin:logout")).word, "method" if not anonymous else "away"
    told["log out"] = ask(staff, reverse("admin:logout"), {}).word, "in" if not anonymous else "away"
    assert differences(told) == {}


def acts_of_all(found):
    """Returns for each act, by its name, the address and data of its POST and the rows that it may change."""
    return acts_on_the_desk(found) | acts_on_accounts(found)


def acts_on_the_desk(found):
    """Returns the acts on settings that all orders depend on, and on what colleagues made."""
    maker = make.UserFactory()
    asked = {"state": Export.State.ASKED, "file": "", "reason": "x"}
    export = make.ExportFactory(personal=True, by=staff_actor(maker), maker_id=maker.pk, **asked)
    run = make.BulkRunFactory(state=BulkRun.State.RUNNING, finished_at=None)
    mail = make.MailFactory(order=None, kind="notice_alarm", state=Mail.State.FAILED)
    task, schedule, service = queued("os.getpid"), found["orders_scheduledexport"], found["orders_servicetype"]
    paused = make.PauseFactory(partner="bpm", until=None, resumed_at=None, resumed_by="")
    limit = TimeLimit.objects.get(state="held", attribution=None)
    return {
        "pause a partner": ("orders_pause_partner", ["bigdata"], {"reason": "x"}, Pause.objects),
        "resume a partner": ("orders_resume_partner", ["bpm"], {}, Pause.objects.filter(pk=paused.pk)),
        "let a restored desk send": ("restored", [], {"reason": "x"}, Timeline.objects),
        "make test calls": ("probes", [], {}, OrderEvent.objects.filter(kind="partners_probed")),
        "send a test mail": ("probes", [], {"mail": "1"}, OrderEvent.objects.filter(kind="test_mail_sent")),
        "change a province's code": (
            "orders_province_change", ["SH"], {"code": "219", "name": "上海", "confirmed": "210-219"},
            Province.objects.filter(pk="SH"),
        ),
        "add a province": (
            "orders_province_add", [], {"letters": "ZZ", "code": "219", "name": "z"}, Province.objects
        ),
        "change a service type": (
            "orders_servicetype_change", [service.pk], {"cdn_type": "y", "plains": '["1"]'},
            ServiceType.objects.filter(pk=service.pk),
        ),
        "enter a holiday": ("orders_calendarday_add", [], {"day": "2028-05-01", "name": "劳动节"}, CalendarDay.objects),
        "change a limit in time": (
            "orders_timelimit_change", [limit.pk], {"state": "held", "amount": "5", "unit": "days"},
            TimeLimit.objects.filter(pk=limit.pk),
        ),
        "send a mail about no order again": (
            "notifications_mail_resend", [mail.pk], {}, Mail.objects.filter(pk=mail.pk)
        ),
        "agree to a colleague's export": (
            "orders_export_judge", [export.pk], {"agree": "1"}, Export.objects.filter(pk=export.pk)
        ),
        "switch off a colleague's scheduled export": (
            "orders_scheduledexport_switch", [schedule.pk], {"on": "0"}, ScheduledExport.objects.filter(pk=schedule.pk)
        ),
        "stop a colleague's bulk run": ("orders_bulkrun_stop", [run.pk], {}, BulkRun.objects.filter(pk=run.pk)),
        "remove a queued task": (
            "django_q_ormq_delete", [task.pk], {"post": "yes"}, OrmQ.objects.filter(pk=task.pk)
        ),
    }  # fmt: skip


def acts_on_accounts(found):
    """Returns the acts on people, roles, log-ins and tokens."""
    maker = make.UserFactory()
    waiting = make.ApiTokenFactory(personal=True, made_by=staff_actor(maker), maker_id=maker.pk, system="waiting")
    lock, token = found["project_failedlogin"], found["integrations_apitoken"]
    user, group = found["project_user"], found["auth_group"]
    AuthenticatorApp.objects.create(user=user, secret="x", last_step=0)
    open_session = Session.objects.create(session_key="of a colleague", expire_date=make.NOW)
    AccountSession.objects.create(user=user, session=open_session)
    day = {"date_joined_0": "2026-11-25", "date_joined_1": "09:00:00"}
    return {
        "unlock a log-in": (
            "project_failedlogin_changelist", [], {"action": "unlock", "_selected_action": lock.pk}, FailedLogin.objects
        ),
        "agree to a colleague's token": (
            "integrations_apitoken_agree", [waiting.pk], {}, ApiToken.objects.filter(pk=waiting.pk)
        ),
        "make a token": (
            "integrations_apitoken_add", [], {"system": "x", "valid_until": datetime.date.today()}, ApiToken.objects
        ),
        "revoke a token": (
            "integrations_apitoken_revoke", [token.pk], {"reason": "x"}, ApiToken.objects.filter(pk=token.pk)
        ),
        "make an account": ("project_user_add", [], {"username": "new", "sees": "all"}, User.objects.order_by("pk")),
        "change an account": (
            "project_user_change", [user.pk], {"username": user.username, "display_name": "新名", **day},
            User.objects.filter(pk=user.pk),
        ),
        "have a colleague's password set anew": (
            "auth_user_password_change", [user.pk], {}, User.objects.filter(pk=user.pk)
        ),
        "reset a colleague's second factor": (
            "project_user_second_factor", [user.pk], {}, AuthenticatorApp.objects.filter(user=user)
        ),
        "disable an account": (
            "project_user_standing", [user.pk], {"active": "True"}, User.objects.filter(pk=user.pk)
        ),
        "end a colleague's sessions": (
            "project_user_sessions", [user.pk], {"end": "all"}, AccountSession.objects.filter(user=user)
        ),
        "change a role": (
            "auth_group_change", [group.pk], {"name": "other"}, type(group).objects.filter(pk=group.pk)
        ),
    }  # fmt: skip


@everybody
def test_who_does_what_concerns_all(client, found, letter, settings):
    """Compares the rows before and after each act: a refused act changes no row."""
    settings.EXPORT_SECOND_PERSON = True
    note_restored(name=Timeline.objects.latest("pk").name, about={"event": 0}, by="guard", now=make.NOW)
    read_restore_state()
    acts, told = acts_of_all(found), {}
    staff = sign_in(client, letter)
    User.objects.update(email="staff@example.com")
    assert set(acts) == set(OF_ALL)
    session = copy.deepcopy(staff.cookies)
    for name, (address, arguments, data, touched) in acts.items():
        # because an act may have given it a new session
        before, staff.cookies = list(touched.values()), copy.deepcopy(session)
        with transaction.atomic():
            staff.post(reverse(f"admin:{address}", args=arguments), data)
            told[name] = list(touched.values()) != before, letter in OF_ALL[name]
            transaction.set_rollback(True)
        read_restore_state()
    assert differences(told) == {}
    Timeline.objects.update(restored_at=None)
    read_restore_state()
