"""Orders in the states that the pages' tests need, and people with some permissions."""

import datetime

from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from orders.books.books import Discrepancy, HeldRecord, OrderComparison
from orders.models import BillingRecord, Conflict, Order, OrderDomain
from orders.order_page.tabs import TABS
from orders.order_words.order_facts import last_event
from orders.reconciliation.results import snapshot
from project.models import User
from tests import factories

S = Order.State
DAY = datetime.timedelta(days=1)
APPS = ["orders", "approvals", "notifications"]
ASKED = {
    "attribute": {"letters": "SH"},
    "move_attribution": {"letters": "SH"},
    "name_domains": {"domains": "n.example.com"},
    "move_start": {"day": "2033-10-10"},
    "move_end": {"day": "2033-09-10"},
    "remind": {"day": "2033-10-10"},
}
"""What a decision's form asks besides the reason."""


def page(order, query=""):
    return reverse("admin:orders_order_change", args=[order.pk]) + query


def deciding(order, key):
    return reverse("admin:orders_order_decide", args=[order.pk, key])


def staff(*permissions, name="wang"):
    """Returns a member of staff with these permissions, who may also see orders with all that belongs to them."""
    user = User.objects.create_user(name, is_staff=True)
    seen = {right.partition(".")[2] for tab in TABS for right in tab.rights}
    codes = {"view_order", *seen, *permissions}
    rows = Permission.objects.filter(codename__in=codes, content_type__app_label__in=APPS)
    user.user_permissions.set(rows)
    return user


def step(order, name="create_billing", state="done", **fields):
    channel = {"check_files": "files", "start_bpm": "bpm"}.get(name, "billing")
    at = timezone.now()
    open_ = {"next_try_at": at} if state in {"due", "retrying", "sending"} else {"next_try_at": None}
    begun = {"attempts": 1, "frozen_at": at} if state in {"done", "failed", "retrying", "sending"} else {}
    begun |= {"may_have_acted": True} if state == "done" else {}
    base = {"order": order, "step": name, "channel": channel, "state": state, "created_at": at}
    return factories.DispatchFactory(**(base | open_ | begun | fields))


def filled(order, key, **more):
    """Returns the fields that a browser sends for a decision's form that was opened now."""
    if key == "conflict":
        more = {"newest": max(Conflict.objects.values_list("pk", flat=True), default=1)} | more
    if key == "look_up":
        more = typed(order) | more
    return {"reason": "客户经理要求", "seen": last_event(order), **ASKED.get(key, {}), **more}


def typed(order):
    """Returns the fields by which a person states that the big-data side now has each record of the order, live."""
    found = {"as_of": f"{timezone.localtime():%Y-%m-%dT%H:%M}"}
    for record in order.billing_records.all():
        times = {f"{name}_{record.pk}": "2023-09-20 18:54:36" for name in ("createTime", "cancelTime")}
        found |= {f"there_{record.pk}": "1", **times}
    return found


def changes(order):
    """Returns the order's values that a refused decision must leave unchanged."""
    rows = order.dispatches.order_by("pk").values_list("state", "superseded")
    return Order.objects.filter(pk=order.pk).values_list("state", "held_because").get(), list(rows)


def planned(state, **fields):
    return factories.OrderFactory(state=state, planned_at=timezone.now(), plans=1, **fields)


def failed():
    """A first activation that stopped because BPM timed out."""
    trial = factories.TrialFactory(planned_at=timezone.now())
    order = planned(S.FAILED, first=True, trial=trial, trial_number=trial.number)
    step(order, "start_bpm", "failed", error_code="timeout", error="no answer")
    return order


def billed():
    """An active first activation with one billing record at the big-data side."""
    trial = factories.TrialFactory(planned_at=timezone.now(), state=S.CONVERTED)
    order = planned(S.ACTIVE, first=True, trial=trial, trial_number=trial.number, live_at=timezone.now())
    factories.TrialClaimFactory(trial=trial, activation=order)
    record = factories.BillingRecordFactory(order=order, state="live", create_time=timezone.now())
    step(order, records=[record.pk])
    return order


def held_for_files():
    name = "x_50004020027_20230920191212.xlsx"
    order = planned(S.HELD, held_because="files", first=False, trial=factories.TrialFactory(), info_security=name)
    finding = {"file": name, "code": "missing", "message": "no such file", "why": {"code": "file_missing"}}
    step(
        order,
        "check_files",
        "retrying",
        error_code="missing",
        error=f"{name}: no such file",
        about={"findings": [finding]},
    )
    return order


def held_for_attribution():
    return factories.OrderFactory(kind="trial", state=S.HELD, held_because="attribution_unknown", attribution=None)


def held_for_domains():
    trial = factories.TrialFactory(planned_at=timezone.now(), state=S.CONVERTED)
    factories.TrialClaimFactory(trial=trial)
    of_trial = {"trial": trial, "trial_number": trial.number}
    return factories.OrderFactory(state=S.HELD, held_because="domains_missing", first=False, **of_trial)


def held_for_a_closed_trial():
    trial = factories.TrialFactory(planned_at=timezone.now(), state=S.WITHDRAWN, undo_since=timezone.now())
    OrderDomain.objects.create(order=trial, name="a.example.com", key="a.example.com")
    of_trial = {"trial": trial, "trial_number": trial.number}
    return factories.OrderFactory(state=S.HELD, held_because="trial_closed", **of_trial)


def failed_trial(code="code_400", **fields):
    """A trial whose records the partner refused for good."""
    trial = factories.TrialFactory(planned_at=timezone.now(), state=S.FAILED, plans=1)
    record = factories.BillingRecordFactory(
        order=trial, info_type="1", product_id="1", domain="a.example.com", state="to_send"
    )
    base = {"records": [record.pk], "lane": trial.pk, "error_code": code, "definite": True}
    step(trial, "create_trial_billing", "failed", **base | fields)
    return trial


def acted_before():
    """A trial whose creation failed with the code `acted_before`: the partner had acted on its idempotency key before,
    with other bytes.
    """
    trial = failed_trial("acted_before", may_have_acted=True)
    factories.AffectedOrderFactory(
        order=trial, incident__partner="bigdata", incident__step="create_trial_billing", incident__code="acted_before"
    )
    return trial


def to_look_up():
    """A trial that has to be looked up, because the partner acted on its idempotency key before with other bytes. The
    partner has no look-up, so a person has to enter what the partner has.
    """
    trial = failed_trial("look_up", may_have_acted=True, definite=False)
    attempt = {"number": 1, "started_at": timezone.now() - DAY, "finished_at": timezone.now() - DAY}
    trial.dispatches.get().tries.create(outcome="retry", error_code="acted_before", **attempt)
    factories.AffectedOrderFactory(
        order=trial, incident__partner="bigdata", incident__step="create_trial_billing", incident__code="look_up"
    )
    return trial


def held_there(job_id):
    """Returns the big-data side's records of the trial that `acted_before` makes."""
    at = timezone.now()
    return [
        HeldRecord(
            product_id="1",
            domain="a.example.com",
            info_type="1",
            enterprise_id="100A23100079275183",
            live=True,
            create_time=at,
            cancel_time=at + DAY,
        )
    ]


def differing():
    """An active order whose process in BPM has other domains."""
    order = billed()
    factories.AffectedOrderFactory(
        order=order, incident__partner="bpm", incident__step="start_bpm", incident__code="process_differs"
    )
    return order


def unbilled(**fields):
    """An active order whose live billing record is missing at the big-data side."""
    order = billed()
    record = order.billing_records.get()
    BillingRecord.objects.filter(pk=record.pk).update(cancel_time=timezone.now() + 3650 * DAY)
    names = {"product_id": record.product_id, "domain": record.domain}
    factories.DifferenceFactory(order=order, detail={"ours": "live", "theirs": "missing"}, **names | fields)
    factories.AffectedOrderFactory(
        order=order, incident__partner="bigdata", incident__step="", incident__code="difference"
    )
    return order


def in_conflict():
    """An active order whose number BBOSS sent again with other content."""
    order = billed()
    factories.ConflictFactory(order_number=order.number)
    return order


def looked(order_id, look=None):
    """Returns the big-data side's comparison for an order of `unbilled`: it has no record of the order at all."""
    records = list(BillingRecord.objects.filter(order=order_id).order_by("pk"))
    discrepancies = [
        Discrepancy(
            kind="not_billed",
            product_id=row.product_id,
            domain=row.domain,
            ours="live",
            theirs="missing",
            remedy="create",
            record=row.pk,
        )
        for row in records
        if row.state == "live"
    ]
    return OrderComparison(discrepancies=discrepancies, our_snapshot=snapshot(records), records=len(records))


def scheduled(*, days):
    """A first activation that starts in `days` days. With a negative number its start has passed."""
    trial = factories.TrialFactory(planned_at=timezone.now())
    at = timezone.now() + days * DAY
    order = planned(S.SCHEDULED, first=True, trial=trial, trial_number=trial.number, start_at=at)
    factories.TrialClaimFactory(trial=trial, activation=order)
    step(order, records=[])
    step(order, "cancel_trial_billing", "waiting", gate="start", not_before=at, position=5, lane=trial.pk)
    return order


def billed_ahead(*, days):
    """A first activation as of `scheduled`, with its billing record."""
    order = scheduled(days=days)
    factories.BillingRecordFactory(order=order, state="live", create_time=order.start_at)
    return order


def started():
    return scheduled(days=-1)


def ahead():
    return scheduled(days=3)


def ahead_and_billed():
    return billed_ahead(days=3)


def trialing():
    return factories.TrialFactory(planned_at=timezone.now())


def ends_late():
    """A trial for the act `move_end`. The test enters a later end, so the page does not ask a second time."""
    return factories.TrialFactory(planned_at=timezone.now(), biz_end="2033-09-09")


def before_the_trial_ends():
    """An activation that starts in three days, while its trial runs for a week."""
    order = billed_ahead(days=3)
    Order.objects.filter(pk=order.trial_id).update(biz_end=timezone.localdate() + 7 * DAY)
    return order


def awaiting():
    """A subsequent activation that BPM has had for three days."""
    at = timezone.now() - 3 * DAY
    order = planned(S.AWAITING_APPROVAL, first=False, state_since=at, bpm_process="P-7", attribution_id="BJ")
    step(order, "start_bpm", done_at=at)
    return order


def withdrawn():
    return factories.OrderFactory(state=S.WITHDRAWN, undo_since=timezone.now(), withdrawal_idh="1")


def applied():
    return factories.OrderFactory(kind="change", state=S.APPLIED, planned_at=timezone.now())


TRIED = {
    "resend": ("resend_order", "resend", failed, billed),
    "waive": ("waive_finding", "waived", held_for_files, billed),
    "attribute": ("choose_attribution", "attribution_chosen", held_for_attribution, billed),
    "activate": ("run_activation", "activation_run", started, ahead),
    "call_off": ("withdraw_order", "withdrawn", ahead, started),
    "move_start": ("move_start", "move_asked", ahead_and_billed, started),
    "move_end": ("move_end", "end_moved", ends_late, billed),
    "move_attribution": ("choose_attribution", "attribution_moved", billed, held_for_attribution),
    "usage": ("fetch_usage", "usage_asked", trialing, billed),
    "note": ("add_note", "note", billed, None),
    "remind": ("add_note", "reminder_set", billed, None),
    "push": ("push_approval", "pushed", awaiting, billed),
    "compensate": ("compensate_order", "compensated", billed, held_for_files),
    "withdraw": ("withdraw_order", "withdrawn", billed, withdrawn),
    "proceed": ("proceed_order", "proceeded", held_for_a_closed_trial, held_for_domains),
    "name_domains": ("name_domains", "domains_named", held_for_domains, held_for_a_closed_trial),
    "take": ("take_books", "taken", acted_before, failed_trial),
    "look_up": ("take_books", "taken", to_look_up, failed_trial),
    "give_up": ("give_up_step", "given_up", failed_trial, failed),
    "conflict": ("change_incident", "conflict_seen", in_conflict, billed),
    "fix": ("fix_difference", "reconciliation_fix", unbilled, billed),
    "compare": ("compare_order", "compared", billed, applied),
    "accept": ("accept_difference", "accepted", differing, billed),
    "pass": ("decide_order", "decided", billed, withdrawn),
    "reject": ("decide_order", "decided", billed, withdrawn),
    "erase": ("erase_personal_data", "personal_data_erased", withdrawn, billed),
}
"""Of each decision: its permission, the kind of its event, an order that allows it, and one that does not."""
PERMISSIONS = {key: permission for key, (permission, _event, _order, _other) in TRIED.items()}
EVENTS = {key: event for key, (_permission, event, _order, _other) in TRIED.items()}
ALLOWED = {key: order for key, (_permission, _event, order, _other) in TRIED.items()}
NOT_ALLOWED = {key: order for key, (_permission, _event, _order, order) in TRIED.items() if order}
