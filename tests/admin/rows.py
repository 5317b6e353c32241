"""Makes a row for every page of the desk, by the name of its model's admin: `orders_order`, `project_user`, ..."""

import contextlib

from axes.models import AccessFailureLog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.signing import SignedPackage

from integrations.models import Breaker, Heartbeat, LeaseLock
from orders.models import BillingRecord, OrderEvent, Province, ServiceType, Timeline
from project.models import FailedLogin
from tests import factories as make


@contextlib.contextmanager
def kept_for_a_module(blocker):
    """Keeps the rows written inside until the module ends. What each test writes is rolled back to these rows."""
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


def of_order(order):
    """Returns a row of each kind that belongs to an order."""
    return {
        "orders_order": order,
        "orders_customer": make.CustomerFactory(last_order=order),
        "orders_orderfiles": make.OrderFilesFactory(attribution_id=order.attribution_id),
        "orders_orderdomain": make.OrderDomainFactory(order=order),
        "orders_trialclaim": make.TrialClaimFactory(activation=order),
        "orders_trialend": make.TrialEndFactory(trial=order),
        "orders_billingrecord": make.BillingRecordFactory(order=order, state=BillingRecord.State.UNKNOWN),
        "orders_trialusage": make.TrialUsageFactory(trial=order),
        "orders_dispatch": make.DispatchFactory(order=order),
        "orders_billingdispatch": make.BillingDispatchFactory(order=order),
        "orders_bpmdispatch": make.BpmDispatchFactory(order=order),
        "orders_attempt": make.AttemptFactory(dispatch__order=order),
        "orders_orderevent": make.OrderEventFactory(order=order),
        "orders_incident": make.AffectedOrderFactory(order=order).incident,
        "orders_affectedorder": make.AffectedOrderFactory(order=order),
        "orders_inboundmessage": make.InboundMessageFactory(order_number=order.number),
        "orders_conflict": make.ConflictFactory(order_number=order.number),
        "integrations_bpmcallback": make.BpmCallbackFactory(order_number=order.number),
        "orders_acceptedcall": make.AcceptedCallFactory(order=order),
        "orders_difference": make.DifferenceFactory(order=order),
        "orders_askedact": make.AskedActFactory(order=order),
        "orders_bulkitem": make.BulkItemFactory(target=order.pk),
        "approvals_approvalrecord": make.ApprovalRecordFactory(
            order=order, record_id=f"7300{order.pk:08}", node="1", operator="李四"
        ),
        "notifications_mail": make.MailFactory(order=order),
        "notifications_mailrule": make.MailRuleFactory(attribution_id=order.attribution_id or "SH"),
        "notifications_contact": make.ContactFactory(attribution_id=order.attribution_id or "SH"),
    }


ALL_MAKERS = {
    "orders_reconciliation": make.ReconciliationFactory,
    "orders_export": make.ExportFactory,
    "orders_scheduledexport": make.ScheduledExportFactory,
    "orders_savedview": lambda: make.SavedViewFactory(role=Group.objects.get(name="管理员")),
    "orders_bulkrun": make.BulkRunFactory,
    "orders_timeline": lambda: Timeline.objects.create(begun_at=timezone.now()),
    "orders_trialupload": make.TrialUploadFactory,
    "orders_servicetype": lambda: ServiceType.objects.create(code=str(ServiceType.objects.count() + 1), cdn_type="x"),
    "orders_province": lambda: new_province(Province.objects.count()),
    "orders_pause": make.PauseFactory,
    "orders_calendarday": make.CalendarDayFactory,
    "orders_timelimit": make.TimeLimitFactory,
    "integrations_heartbeat": lambda: make.HeartbeatFactory(cluster=f"{Heartbeat.objects.count()}"),
    "integrations_leaselock": lambda: make.LeaseLockFactory(name=f"{LeaseLock.objects.count()}"),
    "integrations_breaker": lambda: make.BreakerFactory(partner=f"{Breaker.objects.count()}"),
    "integrations_apitoken": make.ApiTokenFactory,
    "project_user": make.UserFactory,
    "auth_group": lambda: Group.objects.create(name=f"g{Group.objects.count()}"),
    "admin_logentry": lambda: LogEntry.objects.create(
        user=make.UserFactory(), object_repr="x", action_flag=CHANGE, change_message="x"
    ),
    "project_failedlogin": lambda: FailedLogin.objects.create(
        username=f"u{FailedLogin.objects.count()}", ip_address="10.0.0.1", user_agent="x", failures_since_start=9
    ),
    "django_q_schedule": lambda: Schedule.objects.create(func="os.getpid", name="x", task=task(True).pk),
    "django_q_success": lambda: Success.objects.get(pk=task(True).pk),
    "django_q_failure": lambda: Failure.objects.get(pk=task(False).pk),
    "django_q_ormq": lambda: queued("1"),
}


def written(row, **values):
    """Gives the row these values without any checks, and returns it. The database never lets events and log entries
    change, so for these a further row is created with the values.
    """
    model = type(row)
    if model not in {OrderEvent, LogEntry}:
        model._base_manager.filter(pk=row.pk).update(**values)
        return row
    same = {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields}
    return model._base_manager.create(**same | {"id": None} | values)


def new_row(name):
    """Returns a new row of this model. If the model belongs to an order, the row gets a new order too."""
    return ALL_MAKERS[name]() if name in ALL_MAKERS else of_order(make.OrderFactory(attribution_id="BJ"))[name]


def guessed(count, name="wang", names=1, address=""):
    """Notes `count` wrong passwords as the log-in page notes them, for one name or for `names` names. They come from
    one address, or each comes from an address of its own. tests/admin/test_log_in.py checks that the page notes the
    same.
    """
    AccessFailureLog.objects.bulk_create(
        AccessFailureLog(
            username=f"{name}{number % names}" if names > 1 else name,
            ip_address=address or f"10.1.{number // 250}.{number % 250}",
            path_info=reverse("admin:login"),
        )
        for number in range(count)
    )


def new_province(number):
    letters = f"{chr(65 + number // 26)}{chr(65 + number % 26)}9"
    return Province.objects.create(letters=letters, code=str(2000 + number), name=letters)


def task(success):
    now, number = timezone.now(), Task.objects.count()
    return Task.objects.create(
        id=f"{number:032d}", name="x", func="os.getpid", started=now, stopped=now, success=success, result="x"
    )


def queued(name):
    return OrmQ.objects.create(key="x", payload=SignedPackage.dumps({"id": "1", "name": name, "func": name}))


def of_none():
    """Returns a row of each kind that belongs to no attribution."""
    return {name: new() for name, new in ALL_MAKERS.items()}
