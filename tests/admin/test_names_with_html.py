"""HTML in names and texts is shown as text on every page, and every page forbids scripts that are not ours."""

import re

import pytest
from django.db.models import CharField, JSONField, TextField
from django.test import Client
from django.urls import reverse

from approvals.models import ApprovalRecord
from orders.actions.all_actions import BULK_ACTS, DECISIONS
from orders.models import Order
from orders.order_page.tabs import TABS
from tests import factories as make
from tests.admin.rows import queued, written
from tests.admin.walking import rows, standard

pytestmark = pytest.mark.django_db
RAW = "<xq"  # must never appear unescaped in a page
HOSTILE = f"\"'>{RAW}>"
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*(\ssrc=|type=.application/json))")
NOT_TEXT = {"session_hash", "func", "object_id", "payload", "password", "weekdays"}  # the payload of a queue is signed


def poisoned(row):
    """Returns a value with HTML for each text field that somebody outside could have written."""
    found = {}
    for field in row._meta.concrete_fields:
        if field.choices or field.primary_key or field.is_relation or field.name in NOT_TEXT:
            continue
        if isinstance(field, JSONField):
            value = getattr(row, field.name)
            texts = {"reason": HOSTILE, "detail": HOSTILE, "OperUser": HOSTILE, HOSTILE: HOSTILE, "file": HOSTILE}
            found[field.name] = texts if isinstance(value, dict) else [HOSTILE] if value and value != [1] else value
        elif isinstance(field, CharField | TextField):
            room = (field.max_length or 200) - 6
            found[field.name] = f"{HOSTILE}{row.pk}" if field.unique and room > 3 else HOSTILE[: field.max_length]
    return found


def poison(row):
    """Writes the values of `poisoned` into the row without any checks. A row that can't be changed is created with
    them.
    """
    if isinstance(row, ApprovalRecord):
        texts = {"node": HOSTILE, "node_name": HOSTILE, "operator": HOSTILE, "opinion": HOSTILE, "source": row.source}
        make.ApprovalRecordFactory(order=row.order, **texts)
        return row
    return written(row, **poisoned(row))


@pytest.fixture
def hostile(admin_user):
    """Rows for every page, all with HTML in their texts, and the order that most of them belong to."""
    found = rows()
    number = found["orders_order"].number
    dispatch = found["orders_attempt"].dispatch
    dispatch.payload = f'{{"a": "{RAW}>", "operUser": "{RAW}>"}}'
    dispatch.save()
    found = {name: poison(row) for name, row in found.items()}
    found["django_q_ormq"] = queued(HOSTILE)
    # messages refer to the order by this number
    Order.objects.filter(pk=found["orders_order"].pk).update(number=number)
    type(found["orders_inboundmessage"])._base_manager.all().update(order_number=number)
    type(admin_user).objects.filter(pk=admin_user.pk).update(display_name=RAW)
    return found


def own_addresses(order):
    page = reverse("admin:orders_order_change", args=[order.pk])
    yield from (f"{page}?tab={tab.key}&personal=1" for tab in TABS)
    yield from (f"{page}?tab={tab.key}" for tab in TABS)
    yield from (reverse("admin:orders_order_decide", args=[order.pk, key]) for key in DECISIONS)
    run = make.BulkRunFactory(
        act="resend",
        by=f"staff:{HOSTILE}",
        reason=HOSTILE,
        query=HOSTILE,
        words=[[HOSTILE, HOSTILE]],
        details={"code": HOSTILE},
        failed=1,
    )
    make.BulkItemFactory(run=run, target=order.pk)
    make.BulkItemFactory(run=run, state="failed", why={"code": HOSTILE})
    make.DispatchFactory(order=order, state="failed", next_try_at=None, error=HOSTILE, error_code=HOSTILE)
    yield reverse("admin:orders_bulkrun_change", args=[run.pk])
    yield reverse("admin:orders_bulkitem_changelist") + f"?run={run.pk}"
    yield from (reverse("admin:orders_bulkrun_new", args=[key]) + "?every=1" for key in BULK_ACTS)
    yield reverse("admin:orders_order_resend") + "?partner=bigdata"
    words = dict.fromkeys(["actor", "about", "address"], HOSTILE)
    make.TrailEntryFactory(code="command", data={"words": HOSTILE}, **words)
    yield from (reverse("admin:trail"), f"{reverse('admin:trail')}?q=<xq>&user=<xq>&kind=<xq>")
    yield from (reverse("admin:index"), reverse("admin:password_change"))
    yield from (reverse("admin:orders_order_changelist") + query for query in ("?q=<xq>", "?received=<xq>", "?e=<xq>"))


def wrong(response, text):
    """Returns the faults of a page as texts."""
    policy = response.headers.get("Content-Security-Policy", "")
    faults = ["HTML"] if RAW in text else []
    faults += [found[0]] if (found := INLINE.search(text)) else []
    return faults + ([] if "default-src 'self'" in policy and "unsafe" not in policy else [f"policy {policy}"])


def test_every_page_escapes_and_carries_the_policy(admin_client, hostile):
    asked = [*own_addresses(hostile["orders_order"]), *standard(hostile).values()]
    asked += [f"{url}?personal=1" for (_name, page), url in standard(hostile).items() if page == "change"]
    faults, escaped = {}, 0
    for url in asked:
        response = admin_client.get(url)
        text = response.content.decode()
        escaped += "&lt;xq" in text
        if found := wrong(response, text):
            faults[url] = found
    assert faults == {}
    assert escaped > len(asked) / 2  # otherwise the rows contained no HTML


def test_what_was_typed_comes_back_escaped(admin_client, hostile):
    order = hostile["orders_order"]
    answers = [
        admin_client.post(reverse("admin:orders_order_decide", args=[order.pk, key]), {"reason": HOSTILE, "seen": "0"})
        for key in ("note", "resend")
    ]
    incident = hostile["orders_incident"]
    admin_client.post(reverse("admin:orders_incident_act", args=[incident.pk, "note"]), {"note": HOSTILE})
    answers += [
        Client().post(reverse("admin:login"), {"username": HOSTILE, "password": "x", "next": HOSTILE}),
        admin_client.post(reverse("admin:project_user_add"), {"username": HOSTILE, "sees": "all"}),
        admin_client.get(reverse("admin:orders_incident_change", args=[incident.pk])),
    ]
    assert [wrong(answer, answer.content.decode()) for answer in answers] == [[]] * len(answers)


def broken(*args):
    raise RuntimeError("a fault of ours")


def test_pages_of_errors_carry_the_policy_too(admin_client, client, monkeypatch):
    admin_client.raise_request_exception = False
    strict = Client(enforce_csrf_checks=True)
    pages = {
        200: Client().get(reverse("admin:login")),
        302: Client().get(reverse("admin:index")),
        400: client.get("/admin/login/", HTTP_HOST=f"{RAW}>"),
        403: strict.post(reverse("admin:login"), {"username": "x", "password": "x"}),
        404: admin_client.get(f"/admin/{HOSTILE}/"),
        405: admin_client.put(reverse("admin:logout")),
    }
    monkeypatch.setattr("project.admin_site.site.short_menu", broken)
    pages[500] = admin_client.get(reverse("admin:index"))
    assert {status: answer.status_code for status, answer in pages.items()} == {status: status for status in pages}
    assert {status: wrong(answer, answer.content.decode()) for status, answer in pages.items()} == dict.fromkeys(
        pages, []
    )


LINKED = "登录 https\uff1a//evil.example"  # with a full-width colon
GIVEN = [
    ("notifications_contact", "name", {"mail": "a@example.com", "role": "sa", "attribution": "BJ"}),
    ("orders_province", "name", {"letters": "ZZ", "code": "219"}),
    ("auth_group", "name", {}),
    ("project_user", "display_name", {"username": "li", "sees": "all"}),
    ("integrations_apitoken", "system", {"valid_until": "2023-12-01"}),
]


@pytest.mark.parametrize("kind, field, more", GIVEN, ids=[kind for kind, _field, _more in GIVEN])
def test_no_name_that_staff_give_holds_a_link(admin_client, clock, kind, field, more):
    """Names that staff write may contain no link, because a mail program would make it clickable in a mail from the
    desk.
    """
    answer = admin_client.post(reverse(f"admin:{kind}_add"), more | {field: LINKED})
    assert answer.context["adminform"].form.errors == {field: ["名称中不能有链接，请去掉“://”。"]}


def test_no_changed_name_holds_a_link(admin_client):
    user = make.UserFactory()
    answer = admin_client.post(reverse("admin:project_user_change", args=[user.pk]), {"display_name": LINKED})
    assert "名称中不能有链接，请去掉“://”。" in answer.context["adminform"].form.errors["display_name"]
