"""Common steps of the tests of scheduled exports: make one on its page, read pages, and let time pass."""

from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from integrations import tasks
from orders.office.exports.export_jobs import resume_exports
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.schedules import begin_due_exports
from tests import factories as make
from tests.conftest import shanghai
from tests.mails import send_mails

NEW = reverse("admin:orders_scheduledexport_new")


def colleague(mail="li@example.com", role="业务人员", letters=None, **facts):
    user = make.UserFactory(email=mail, letters=letters, **facts)
    user.groups.set(Group.objects.filter(name=role))
    return user


def form(owner, view=None, **more):
    view = view or make.SavedViewFactory(owner=owner.person, query="state__exact=held", columns=["number"])
    usual = {
        "name": "每日挂起",
        "view": getattr(view, "pk", view),
        "weekdays": list("1234567"),
        "at": "08:00",
        "format": "xlsx",
        "recipients": [owner.person.pk],
    }
    return usual | more


def made(owner, **more):
    """Returns a scheduled export that its owner has made on the page."""
    answer = owner.post(NEW, form(owner, **more))
    assert answer.status_code == 302, answer.context["form"].errors
    return ScheduledExport.objects.latest("pk")


def of(page, row):
    return reverse(f"admin:orders_{row._meta.model_name}_{page}", args=[row.pk])


def read(client, row):
    return client.get(of("change", row)).content.decode()


def pass_time(clock, moment):
    """Sets the clock to the moment, runs the sweep's parts for exports, and carries out the tasks that these have
    queued.
    """
    clock.move_to(shanghai(moment))
    begin_due_exports(now=timezone.now())
    resume_exports(now=timezone.now())
    work()


def work():
    for row in Export.objects.filter(state="waiting").order_by("pk"):
        tasks.export(row.pk)
    send_mails()
