"""Factories of rows that belong to no order: people, clusters, partners. Import them from `tests.factories`."""

import datetime
import hashlib

import factory
from factory.django import DjangoModelFactory

from integrations.models import ApiToken, Breaker, Heartbeat, LeaseLock
from notifications.models import Contact, MailRule
from orders.models import CalendarDay, Pause, Reconciliation, TimeLimit
from orders.office.bulk.models import BulkItem, BulkRun
from orders.office.exports.models import Export, ScheduledExport
from orders.office.saved_views.models import SavedView
from orders.office.trials.models import TrialUpload
from project.models import User

NOW = datetime.datetime(2023, 9, 20, 18, 54, 36, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


def rows_of(model, base=DjangoModelFactory, **usual) -> type[DjangoModelFactory]:
    """Returns a factory of a model's rows, with their usual values."""
    return factory.make_factory(model, FACTORY_CLASS=base, **usual)


ContactFactory = rows_of(
    Contact,
    name=factory.Sequence("李四{}".format),
    mail=factory.Sequence("sa{}@example.com".format),
    tel="13700000000",
    attribution_id="BJ",
)
MailRuleFactory = rows_of(MailRule, event=factory.Sequence("mail_{}".format), attribution_id="BJ")
HeartbeatFactory = rows_of(Heartbeat, cluster=factory.Sequence("cluster-{}".format), started_at=NOW, seen_at=NOW)
# A holiday. With `worked=True` it is a day of a weekend that is a working day.
CalendarDayFactory = rows_of(
    CalendarDay, day=factory.Sequence(lambda n: datetime.date(2027, 10, 1) + datetime.timedelta(days=n)), name="国庆节"
)
# A time limit for an attribution. The migrations load the general limits.
TimeLimitFactory = rows_of(
    TimeLimit,
    state=TimeLimit.State.HELD,
    kind=factory.Sequence(lambda n: ["", "trial", "change", "activation"][n % 4]),
    attribution_id=factory.Sequence(lambda n: ["SH", "GD", "TJ", "HB", "JS", "ZJ", "FJ", "SD"][n // 4 % 8]),
    amount=2,
)
# A pause that is over. With `resumed_at=None` it is still in force.
PauseFactory = rows_of(
    Pause,
    partner="bigdata",
    reason="升级维护",
    paused_by="staff:li",
    since=NOW,
    resumed_at=NOW + datetime.timedelta(hours=1),
    resumed_by="staff:li",
)
# A file of orders that another person made. It does not exist in EXPORT_DIR.
ExportFactory = rows_of(
    Export,
    by="staff:li",
    created_at=NOW,
    list_name="orders",
    columns=["number"],
    format="xlsx",
    state=Export.State.DONE,
    file=factory.Sequence("export-{}.xlsx".format),
)
# A finished bulk run of another person that wrote a note.
BulkRunFactory = rows_of(
    BulkRun,
    by="staff:li",
    created_at=NOW,
    worked_at=NOW,
    finished_at=NOW,
    act=BulkRun.Act.NOTE,
    reason="批量备注",
    state=BulkRun.State.DONE,
    total=1,
    done=1,
)
BulkItemFactory = rows_of(
    BulkItem,
    run=factory.SubFactory(BulkRunFactory),
    target=factory.Sequence(lambda n: 1_000_000 + n),
    state=BulkItem.State.DONE,
)
LeaseLockFactory = rows_of(LeaseLock, name=factory.Sequence("lock-{}".format))


class ApiTokenFactory(DjangoModelFactory):
    """A valid token that reads all orders with people's data masked. Its whole text is in `begins`."""

    class Meta:
        model = ApiToken
        skip_postgeneration_save = True

    system = factory.Sequence(lambda n: f"系统{n}")
    begins = factory.Sequence(lambda n: f"ibs_{n:04d}")
    digest = factory.LazyAttribute(lambda row: hashlib.sha256(row.begins.encode()).hexdigest())
    valid_until = datetime.date(2099, 12, 31)
    made_by = "staff:boss"
    made_at = NOW

    @factory.post_generation
    def letters(self, create, extracted, **kwargs):
        if extracted is not None:
            limit_to(self, extracted)


# A closed circuit breaker. With `opened_at` it is open.
BreakerFactory = rows_of(Breaker, partner=factory.Sequence("partner-{}".format))
ReconciliationFactory = rows_of(Reconciliation, started_at=NOW, by="command:reconcile")


class UserFactory(DjangoModelFactory):
    """A member of staff without any right. `UserFactory(letters=["BJ"])` is limited to orders of Beijing."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"staff{n}")
    # so that rows of the other factories are not older than the account
    date_joined = NOW - datetime.timedelta(days=365)
    is_staff = True

    @factory.post_generation
    def letters(self, create, extracted, **kwargs):
        if extracted is not None:
            limit_to(self, extracted)


# A view of the list of orders that somebody saved and does not share.
SavedViewFactory = rows_of(
    SavedView,
    owner=factory.SubFactory(UserFactory),
    list_name="orders",
    name=factory.Sequence("视图{}".format),
    query="state__exact=failed",
    created_at=NOW,
)
# A view of another person that is exported each day at eight.
ScheduledExportFactory = rows_of(
    ScheduledExport,
    owner=factory.SubFactory(UserFactory),
    view=factory.SubFactory(SavedViewFactory, owner=factory.SelfAttribute("..owner"), query="state__exact=held"),
    name=factory.Sequence("每日{}".format),
    weekdays="1234567",
    at=datetime.time(8),
    format="xlsx",
    created_at=NOW,
    next_run_at=NOW + datetime.timedelta(days=1),
)
# A workbook of trials that its maker has imported.
TrialUploadFactory = rows_of(
    TrialUpload,
    made_by=factory.SubFactory(UserFactory),
    made_at=NOW,
    file_name="试用单.xlsx",
    data=b"",
    trials=2,
    report=factory.Dict({"rows": [], "faults": []}),
    imported_at=NOW,
)


def limit_to(user, letters):
    """Limits the account to orders of these attributions."""
    user.limited = True
    user.save(update_fields=["limited"])
    user.attributions.set(letters)


def fresh(row):
    """Reads the row's present values from the database, and returns the row."""
    row.refresh_from_db()
    return row
