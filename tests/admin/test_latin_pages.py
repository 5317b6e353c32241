"""Staff read no Latin word on pages that depend on a state: decisions, the pages that ask for confirmation, and each
state of each row.
"""

import datetime
import itertools

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from orders.actions.all_actions import BULK_ACTS
from orders.actions.incident_acts import INCIDENT_ACTS
from orders.models import BillingRecord, Dispatch, Incident, Order, Timeline
from orders.models.dispatch import OPEN_STATES
from orders.restore.detect_restore import note_restored, read_restore_state
from orders.texts.incident_texts import CAUSES
from tests import factories as make
from tests.admin.latin import Shown, english, fill_with_digits_and_chinese, latin
from tests.admin.orders import ALLOWED, ASKED, NOT_ALLOWED, deciding, filled, page
from tests.admin.rows import written
from tests.admin.walking import ask, rows, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("partner_of_key")]
D = Dispatch.State
ORDERS = dict.fromkeys([*ALLOWED.values(), *NOT_ALLOWED.values()])
ASK_MORE = {"take", "compare", "fix", "usage", "accept"}
"""Those that ask a partner first, or want what its answer was."""


@pytest.fixture
def staff(client):
    return sign_in(client, "S")


def printed(order):
    """Returns the address of the page that prints all tabs."""
    return reverse("admin:orders_order_print", args=[order.pk])


def read(staff, asked):
    """Returns `{name: texts with Latin words}` of these addresses. Each answer must be a page, or say that the order
    has changed.
    """
    answers = {name: ask(staff, *given) for name, given in asked.items()}
    assert {name: answer.word for name, answer in answers.items() if answer.word not in {"in", "409"}} == {}
    return english(answers)


@pytest.mark.parametrize("make_order", ORDERS, ids=[one.__name__ for one in ORDERS])
def test_an_order_and_its_decisions(staff, make_order):
    """Opens the order's page and the form of each decision. Each form is opened empty, with errors, with wrong values,
    and after the order has changed. Forms that may be sent are also sent to the end.
    """
    order = make_order()
    make.OrderEventFactory(order=order)
    fill_with_digits_and_chinese()
    order.refresh_from_db()
    asked = {"page": [page(order)], "tabs": [printed(order)]}
    may, may_not = ({key for key in tried if tried[key] == make_order} for tried in (ALLOWED, NOT_ALLOWED))
    for key in may | may_not:
        form, right = deciding(order, key), filled(order, key)
        asked |= {(key, "form"): [form], (key, "errors"): [form, {"reason": "", "seen": ""}]}
        if key not in {"note", "remind"}:  # these are accepted even if the order has changed
            asked[key, "changed"] = [form, right | {"seen": "0"}]
        if key in may & ASKED.keys():
            asked[key, "wrong"] = [form, right | dict.fromkeys(ASKED[key], "一 二")]
    assert read(staff, asked) == {}
    assert {key: said for key in may - ASK_MORE if (said := said_when_done(staff, order, key))} == {}


def said_when_done(staff, order, key):
    with transaction.atomic():
        answer = staff.post(deciding(order, key), filled(order, key), follow=True)
        transaction.set_rollback(True)
    assert answer.redirect_chain, key
    return latin(Shown(answer.content.decode()).texts)


def test_each_cause(staff):
    asked = {}
    for code in CAUSES:
        row = make.AffectedOrderFactory(incident__partner="bpm", incident__step="start_bpm", incident__code=code)
        asked[code] = [reverse("admin:orders_incident_change", args=[row.incident_id])]
    fill_with_digits_and_chinese()
    asked["list"] = [reverse("admin:orders_incident_changelist")]
    assert read(staff, asked) == {}


def test_where_a_partner_is_paused_and_the_desk_restored(staff):
    make.PauseFactory(partner="bpm", until=None, resumed_at=None, resumed_by="")
    order = make.OrderFactory(state="failed", attribution_id="BJ")
    make.AffectedOrderFactory(order=order)
    fill_with_digits_and_chinese()
    note_restored(name=Timeline.objects.latest("pk").name, about={"event": 0}, by="guard", now=timezone.now())
    read_restore_state()
    asked = {name: [reverse(f"admin:{name}")] for name in ("index", "restored", "orders_order_changelist")}
    asked |= {"order": [page(order)], "note": [deciding(order, "note")], "resend": [deciding(order, "resend")]}
    said = read(staff, asked)
    Timeline.objects.update(restored_at=None)
    read_restore_state()
    assert said == {}


@pytest.mark.parametrize("state", Incident.State)
@pytest.mark.parametrize("order_state", ["failed", "active"])
def test_what_asks_before_an_incident_ends(staff, state, order_state):
    row = make.AffectedOrderFactory(order__state=order_state, incident__state=state, incident__code="code_400")
    fill_with_digits_and_chinese()
    acts = {
        act.key: [reverse("admin:orders_incident_act", args=[row.incident_id, act.key])]
        for act in INCIDENT_ACTS.values()
        if act.asks
    }
    asked = acts | {f"{key} without a reason": [url, {"note": ""}] for key, [url] in acts.items()}
    asked["page"] = [reverse("admin:orders_incident_change", args=[row.incident_id])]
    assert read(staff, asked) == {}


def test_what_asks_before_many_rows_are_changed(staff):
    for make_order in ALLOWED.values():
        make_order()
    make.AffectedOrderFactory()
    fill_with_digits_and_chinese()
    addresses = {key: f"{reverse('admin:orders_bulkrun_new', args=[key])}?every=1" for key in BULK_ACTS}
    asked = {key: [url] for key, url in addresses.items()}
    asked |= {f"{key} without a reason": [url, {"reason": ""}] for key, url in addresses.items()}
    assert read(staff, asked) == {}


def test_each_state_of_an_order(staff):
    asked = {}
    now, at = timezone.now(), datetime.timedelta(days=1)
    for kind in Order.Kind:
        for number, state in enumerate(Order.State):
            held = {"held_because": "files"} if state == Order.State.HELD else {}
            order = make.OrderFactory(
                kind=kind, state=state, attribution_id="BJ", planned_at=now, start_at=now + at, **held
            )
            asked[kind, state] = [printed(order) if number % 2 else page(order)]
    for why in set(Order.Held) - {Order.Held.NOT}:
        order = make.OrderFactory(state="held", held_because=why, attribution_id="BJ")
        asked["held", why] = [page(order)]
    fill_with_digits_and_chinese()
    asked["list"] = [reverse("admin:orders_order_changelist")]
    assert read(staff, asked) == {}


def test_each_state_of_each_step(staff):
    asked, now = {}, timezone.now()
    for state in D:
        order = make.OrderFactory(attribution_id="BJ", planned_at=now, plans=1)
        for step in Dispatch.Step:
            channel = "mail" if step.startswith("mail_") else "billing"
            begun = {} if state in {D.WAITING, D.DUE} else {"frozen_at": now, "attempts": 2}
            due = {"next_try_at": now if state in OPEN_STATES else None}
            failed = {"error_code": "timeout"} if state in {D.FAILED, D.RETRYING} else {}
            past = {"superseded": channel == "mail"}  # because versions before 1.8.0 planned mails as steps
            row = make.DispatchFactory(
                order=order, step=step, channel=channel, state=state, **begun, **due, **failed, **past
            )
            asked[state, step] = [reverse("admin:orders_dispatch_change", args=[row.pk])]
        asked[state, "order"] = [page(order)]
        asked[state, "tabs"] = [printed(order)]
    fill_with_digits_and_chinese()
    asked["list"] = [reverse("admin:orders_dispatch_changelist")]
    assert read(staff, asked) == {}


def test_each_choice_of_each_other_row(staff):
    """Checks each value of each field with choices, on the row's page and in its list."""
    found, said = rows(), {}
    fill_with_digits_and_chinese()
    for name, row in found.items():
        model = type(row)
        fields = () if model in (Order, Dispatch) else model._meta.concrete_fields
        for field in fields:
            for value, _label in field.flatchoices:
                with transaction.atomic():
                    try:
                        with transaction.atomic():
                            changed = written(row, **{field.name: value})
                    except IntegrityError:  # the row's other fields do not fit this value, or the row may not change
                        continue
                    urls = [reverse(f"admin:{name}_change", args=[changed.pk]), reverse(f"admin:{name}_changelist")]
                    answers = {(name, field.name, value, url): ask(staff, url) for url in urls}
                    said |= english(answers)
                    transaction.set_rollback(True)
    assert said == {}


def test_records_of_each_state_and_type(staff):
    now, order = timezone.now(), make.OrderFactory(attribution_id="BJ", planned_at=timezone.now())
    for number, (state, kind) in enumerate(itertools.product(BillingRecord.State, BillingRecord.Type)):
        make.BillingRecordFactory(
            order=order,
            state=state,
            info_type=kind,
            domain=f"d{number}.cn",
            create_time=now,
            domain_key=f"d{number}.cn",
        )
    fill_with_digits_and_chinese()
    assert read(staff, {"tabs": [printed(order)], "list": [reverse("admin:orders_billingrecord_changelist")]}) == {}
