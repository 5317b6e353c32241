"""Which role may open which address of the staff's site. A new page without a row here fails.

B business staff, E engineer, A auditor, M administrator, L administrator limited to BJ (the rows belong to it),
F administrator limited to another attribution, S superuser, N staff without a role, X nobody logged in.
"""

import logging

import pytest
from django.urls import reverse

from orders.order_page.decisions.registry import DECISIONS
from tests import factories as make
from tests.admin.walking import PAGES, PEOPLE, ask, content_type_of, models, registered, rows, sign_in, standard

pytestmark = pytest.mark.django_db
everybody = pytest.mark.parametrize("letter", PEOPLE)
DASH = "-"
ORDERS = "BEAMSLF BEAMSL -   -   -"  # everybody reads within their scope, nobody writes
ENGINE = "EAMSLF  EAMSLF -   -   -"
QUEUE = "EAMSLF  EAMS   -   S   S"
MODELS = {
    #                           list    page   add saves deletes
    "orders_order":             ORDERS,
    "orders_customer":          ORDERS,
    "orders_orderfiles":        ORDERS,
    "orders_orderdomain":       ORDERS,
    "orders_trialclaim":        ORDERS,
    "orders_trialend":          ORDERS,
    "orders_billingrecord":     ORDERS,
    "orders_trialusage":        ORDERS,
    "orders_dispatch":          ORDERS,
    "orders_billingdispatch":   ORDERS,
    "orders_bpmdispatch":       ORDERS,
    "orders_attempt":           ORDERS,
    "orders_orderevent":        ORDERS,
    "orders_incident":          ORDERS,
    "orders_affectedorder":     ORDERS,
    "orders_inboundmessage":    ORDERS,
    "orders_conflict":          ORDERS,
    "orders_acceptedcall":      ORDERS,
    "orders_difference":        ORDERS,
    "approvals_approvalrecord": ORDERS,
    "notifications_mail":       ORDERS,
    "notifications_contact":    "BEAMSLF BEAMSL MSLF MSL MSL",
    "orders_reconciliation":    "BEAMSLF BEAMS  -   -   -",
    "orders_trialupload":       "BEAMSLF BEAMS  -   -   -",
    "orders_province":          "BEAMSLF BEAMSLF MSLF MSLF S",
    "orders_servicetype":       "BEAMSLF BEAMSLF MSLF MSLF S",
    "integrations_heartbeat":   "BEAMSLF BEAMSLF -  -   -",
    "integrations_breaker":     "BEAMSLF BEAMSLF -  -   -",
    "orders_pause":             "BEAMSLF BEAMSLF -  -   -",
    "orders_export":            "BEAMSLF AMS     -  -   -",
    "orders_scheduledexport":   "BEAMSLF AMS     -  -   -",
    "notifications_notice":     "EAMSLF  EAMS    -  -   -",
    "orders_savedview":         "BEAMSLF MLF     -  -   -",  # shared with administrators
    "orders_bulkrun":           "BEAMSLF BEAMS   -  -   -",
    "orders_bulkitem":          ORDERS,
    "orders_timeline":          "EAMSLF  EAMS    -  -   -",
    "integrations_leaselock":   ENGINE,
    "integrations_apitoken":    "MSLF    MS     MS  -  -",
    "project_user":             "AMSLF   AMSLF  MS  MS  S",
    "auth_group":               "AMSLF   AMSLF  S   S   S",
    "admin_logentry":           "AMSLF   AMS    -   -   -",
    "project_failedlogin":      "AMSLF   AMSLF  -   -   -",
    "django_q_schedule":        "EAMSLF  EAMS   S   S   S",
    "django_q_success":         QUEUE,
    "django_q_failure":         QUEUE,
    "django_q_ormq":            QUEUE,
}  # fmt: skip
STAFF = "BEAMLFSN"
OWN = {
    # name: who gets in, and what other staff are told
    "index": (STAFF, ""),
    "password_change": (STAFF, ""),
    "password_change_done": (STAFF, ""),
    "jsi18n": (STAFF, ""),
    "autocomplete": ("AMSLF", "refused"),
    "auth_user_password_change": ("MS", "refused"),
    "orders_order_file": ("BMSL", "refused"),
    "orders_order_resend": ("BEMSLF", "refused"),
    "orders_bulkrun_new": ("BEMSLF", "refused"),
    "orders_order_enter": ("BMSLF", "refused"),
    "orders_order_import": ("BMSLF", "refused"),
    "orders_order_import_template": ("BMSLF", "refused"),
    "restored": (STAFF, ""),
    "find": (STAFF, ""),
    "orders_pause_partner": ("EMSLF", "refused"),
    "orders_resume_partner": ("EMSLF", "refused"),
    "orders_export_new": ("BEAMSLF", "refused"),
    "orders_export_download": ("", "unknown"),  # only its maker's
    "integrations_apitoken_revoke": ("MS", "refused"),
    "orders_scheduledexport_new": ("BEAMSLF", "refused"),
    "orders_scheduledexport_edit": ("", "unknown"),  # only its owner's
}
APP_LISTS = {"orders": "BEAMSLF", "approvals": "BEAMSLF", "notifications": "BEAMSLF", "integrations": "BEAMSLF",
             "auth": "AMSLF", "django_q": "EAMSLF", "admin": "AMSLF", "project": "AMSLF"}  # fmt: skip
DECIDE = {"resend": "BEMSL", "waive": "BMSL", "attribute": "BMSL", "activate": "BEMSL", "call_off": "MSL",
          "usage": "BEMSL", "note": "BEMSL", "compensate": "EMSL", "withdraw": "MSL",
          "proceed": "BMSL", "name_domains": "BMSL", "decide": "BMSL",
          "take": "EMSL", "give_up": "EMSL", "accept": "EMSL", "fix": "EMSL", "compare": "EMSL",
          "conflict": "BEMSL"}  # fmt: skip
INCIDENT_ACTS = dict.fromkeys(["acknowledge", "note", "resolve", "ignore"], "BEMSL")
VIEW_ACTS = ["save", "counts", "update", "rename", "share", "remove"]
ELSEWHERE = {  # tested below; an import's pages in tests/entering
    "login", "logout", "view_on_site", "app_list", "orders_order_decide", "orders_order_recheck",
    "orders_incident_act", "orders_order_import_review", "orders_order_import_annotated", "orders_export_judge",
    "orders_export_stop", "orders_scheduledexport_switch", "orders_scheduledexport_run", "notifications_notice_resend",
    *(f"orders_savedview_{act}" for act in VIEW_ACTS),  # tests/office/test_views.py
    "orders_bulkrun_stop", "orders_bulkrun_go_on", "orders_order_resent",
    "<path:object_id>/", "(?P<url>.*)$",
}  # fmt: skip


def differences(found):
    """`{what: (answer, expected)}` of the answers that are not as expected."""
    return {what: (told, wanted) for what, (told, wanted) in found.items() if told != wanted}


def test_every_address_has_a_row():
    made = {f"{name}_{page}" for name in models() for page in PAGES}
    assert models() == set(MODELS)
    assert registered() - made == set(OWN) | ELSEWHERE
    assert set(DECIDE) == set(DECISIONS)


def wanted(letter, model, page):
    """The answers to a person: columns of MODELS."""
    lists, reads, adds, _saves, deletes = (column.replace(DASH, "") for column in MODELS[model].split())
    if letter == "X":
        return "login"
    if page == "changelist":
        return "in" if letter in lists else "refused"
    if page == "add":
        return "in" if letter in adds else "refused"
    if page == "delete":
        hidden = letter in lists and letter not in reads and letter in adds + "S" * bool(adds)
        return "in" if letter in deletes else "away" if hidden else "refused"
    return "in" if letter in reads else "away" if letter in lists else "refused"


@pytest.fixture(autouse=True)
def quiet():
    """The test provokes hundreds of refusals; each would be logged with its traceback."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@everybody
def test_who_reads_what(client, letter):
    asked = standard(rows())
    staff = sign_in(client, letter)
    found = {(model, page): (ask(staff, url).word, wanted(letter, model, page)) for (model, page), url in asked.items()}
    assert differences(found) == {}


@everybody
def test_who_writes_what(client, letter):
    """`in`: the form comes back with its errors; `away`: the act was done, or the row is outside the person's scope."""
    asked = standard(rows())
    staff, found = sign_in(client, letter), {}
    for model, columns in MODELS.items():
        lists, reads, *writers = columns.split()
        hidden = "away" if letter in lists and letter not in reads and letter in "".join(writers) else "refused"
        for page, allowed, data in zip(("add", "change", "delete"), writers, ({}, {}, {"post": "yes"}), strict=True):
            word = ask(staff, asked[model, page], data).word
            done = {"in", "away"} if page == "change" else {"away"} if page == "delete" else {"in"}
            no = {"login"} if letter == "X" else {hidden, "refused"} if page != "add" else {"refused"}
            found[model, page] = word in (done if letter in allowed else no) or word, True
    assert differences(found) == {}


def own_addresses(found, tmp_path, settings):
    """Of the pages that are ours."""
    order = found["orders_order"]
    order.info_security = f"{order.number}_50004020027_20230920185339.xlsx"
    order.save()
    settings.ATTACHMENT_DIR = tmp_path
    (tmp_path / order.info_security).write_bytes(b"x")
    deputy = "?app_label=project&model_name=user&field_name=deputy"
    arguments = {
        "orders_order_file": [order.pk, "info_security"],
        "orders_pause_partner": ["bpm"],
        "orders_resume_partner": ["bpm"],
        "orders_export_new": ["orders"],
        "orders_bulkrun_new": ["note"],
        "orders_export_download": [found["orders_export"].pk],
        "orders_scheduledexport_edit": [found["orders_scheduledexport"].pk],
        "auth_user_password_change": [found["project_user"].pk],
        "integrations_apitoken_revoke": [found["integrations_apitoken"].pk],
    }
    more = {"autocomplete": deputy, "orders_bulkrun_new": "?every=1"}
    return {name: reverse(f"admin:{name}", args=arguments.get(name)) + more.get(name, "") for name in OWN}


@everybody
def test_who_opens_our_own_pages(client, letter, tmp_path, settings):
    asked = own_addresses(rows(), tmp_path, settings)
    staff, found = sign_in(client, letter), {}
    for name, (allowed, otherwise) in OWN.items():
        no = "login" if letter == "X" else "unknown" if (letter, name) == ("F", "orders_order_file") else otherwise
        found[name] = ask(staff, asked[name]).word, "in" if letter in allowed else no
    assert differences(found) == {}


@everybody
def test_who_decides_what(client, letter):
    order = make.OrderFactory(attribution_id="BJ")
    incident = make.AffectedOrderFactory(order=order).incident
    staff, found = sign_in(client, letter), {}
    hidden = {"X": "login", "F": "unknown"}.get(letter, "refused")
    for key, allowed in DECIDE.items():
        url = reverse("admin:orders_order_decide", args=[order.pk, key])
        no = hidden if letter in allowed + "XF" else "refused"
        found[key, "form"] = ask(staff, url).word, "in" if letter in allowed else no
        answer = ask(staff, url, {"reason": "", "seen": ""})  # allowed: the form comes back with its error
        found[key, "post"] = answer.word, "in" if letter in allowed else no
    url = reverse("admin:orders_order_recheck", args=[order.pk])
    found["recheck"] = ask(staff, url, {"x": "1"}).word, "away" if letter in "BEMSL" else hidden
    for key, allowed in INCIDENT_ACTS.items():
        url = reverse("admin:orders_incident_act", args=[incident.pk, key])
        no = "login" if letter == "X" else "refused"
        found[key, "act"] = ask(staff, url, {"note": "x"}).word, "away" if letter in allowed else no
        found[key, "get"] = ask(staff, url).word, "away" if letter in allowed else no
    assert differences(found) == {}


@everybody
def test_the_rest_of_the_site(client, letter):
    found = rows()
    staff, told = sign_in(client, letter), {}
    anonymous = letter == "X"
    for label, allowed in APP_LISTS.items():
        word = ask(staff, reverse("admin:app_list", args=[label])).word
        told[label] = word, "login" if anonymous else "in" if letter in allowed else "unknown"
    for name, row in found.items():
        url = reverse("admin:view_on_site", args=[content_type_of(row), row.pk])
        told[name, "site"] = ask(staff, url).word, "login" if anonymous else "unknown"
        bare = reverse(f"admin:{name}_changelist") + f"{row.pk}/"
        told[name, "bare"] = ask(staff, bare).word, "login" if anonymous else "away"
    told["nowhere"] = ask(staff, "/admin/nowhere/").word, "login" if anonymous else "unknown"
    told["login"] = ask(staff, reverse("admin:login")).word, "in" if anonymous else "away"
    told["logout"] = ask(staff, reverse("admin:logout")).word, "method" if not anonymous else "away"
    told["log out"] = ask(staff, reverse("admin:logout"), {}).word, "in" if not anonymous else "away"
    assert differences(told) == {}
