"""Confirms acts on many rows as a person does, and returns what happened to the rows."""

from django.urls import reverse

from orders.office.bulk.models import BulkRun
from tests.office.scheduling import colleague, of

NOTE = "客户来电，已核实"


def new(key, query="every=1"):
    return reverse("admin:orders_bulkrun_new", args=[key]) + f"?{query}"


def picked(*rows):
    return "&".join(f"pick={row.pk}" for row in rows)


def confirm(client, url, **form):
    """Opens the page, and confirms with the draft that it showed."""
    given = {"reason": NOTE, "draft": client.get(url).context["form"]["draft"].value()} | form
    return client.post(url, given)


def begin(client, url, **form):
    """Confirms the act on many rows, and returns its bulk run."""
    answer = confirm(client, url, **form)
    assert answer.status_code == 302, answer.context["form"].errors
    return BulkRun.objects.latest("pk")


def page(client, run):
    return client.get(reverse("admin:orders_bulkrun_change", args=[run.pk]))


def notes(*orders):
    return [order.events.filter(kind="note").count() for order in orders]


def outcomes(run):
    run.refresh_from_db()
    return run.state, run.done, run.failed


def as_judge(client):
    client.force_login(colleague(role="审批主管"))
    return client


def confirm_as_second(client, row):
    """Opens the page of what a colleague has asked for, and confirms what it showed."""
    told = client.get(of("change", row)).context["preview"].told
    return client.post(of("confirm", row), {"told": told})
