"""Staff with the right can list and read every model of ours. They can change only reference data and contacts."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from integrations.models import ApiToken, DeskProcess, RobotAlert, RobotState, SecretUse, ToldIncident
from notifications.models import Contact, MailRule
from orders.models import (
    CalendarDay,
    CustomerNote,
    Dispatch,
    DomainText,
    Erasure,
    IncidentNote,
    IndexedOrder,
    Message,
    Order,
    OrderText,
    PlannedPause,
    Province,
    SearchPiece,
    SearchProgress,
    ServiceType,
    TextProgress,
    TimeLimit,
    TrailEntry,
    TrailSending,
    TrialShape,
    Watch,
)
from orders.models.proof import KeptAnswer, PartnerHold, PartnerProof
from orders.office.bulk.models import BulkItem
from orders.office.digest.models import Digest, RedWatch
from orders.office.saved_views.models import SavedView
from project.models import User
from tests import factories
from tests.admin.walking import page_of

# Models without pages of their own, because their rows are made from other rows or are shown elsewhere. The rows of
# the search contain people's phones unmasked. A trial's page shows its shape, and the pages of an incident and a
# customer show their notes. The page 审计 shows the trail. `status` shows how far the trail was sent, and when an old
# secret was used.
MADE = {
    CustomerNote,
    DomainText,
    IncidentNote,
    IndexedOrder,
    OrderText,
    SearchPiece,
    SearchProgress,
    TextProgress,
    TrialShape,
}
MADE |= {Digest, RedWatch}  # only mails follow from them
MADE |= {Message, Watch}  # the inbox shows them, and only to their own account
MADE |= {PlannedPause}  # the page of a partner's pause shows them
MADE |= {Erasure}  # the order's page and its history say so
MADE |= {PartnerProof, PartnerHold, KeptAnswer}  # `partners` and `status` show them
MADE |= {TrailEntry, TrailSending, SecretUse, ToldIncident, RobotAlert, RobotState, DeskProcess}
OURS = [
    model
    for label in ("orders", "approvals", "notifications", "integrations")
    for model in apps.get_app_config(label).get_models()
    if model not in MADE
]
OF_ITS_OWNER = {SavedView}  # others see the views that are shared with them: tests/office/test_views.py
EDITABLE = [CalendarDay, Contact, MailRule, Province, ServiceType, TimeLimit]
FACTORIES = {
    factory._meta.model: factory
    for factory in vars(factories).values()
    if isinstance(factory, type)
    and issubclass(factory, factories.DjangoModelFactory)
    and factory not in (factories.DjangoModelFactory, factories.TrialFactory, factories.UserFactory)
}

pytestmark = pytest.mark.django_db


def listing(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def make(model):
    """Returns a row of the model. Migrations have loaded the rows of some models already."""
    return FACTORIES[model]() if model in FACTORIES else model.objects.first()


def test_every_model_is_registered():
    assert [model for model in OURS if not admin.site.is_registered(model)] == []


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_search_opens(admin_client, model):
    make(model)
    assert admin_client.get(listing(model), {"q": "100A230920170000001 示例"}).status_code == 200


def test_the_order_page_shows_what_it_caused(admin_client):
    order = factories.OrderFactory(state=Order.State.HELD, held_because=Order.Held.FILES)
    factories.OrderDomainFactory(order=order, name="Pull.Example.com")
    told = {"code": "partner_words", "words": "<b>400</b>"}
    factories.DispatchFactory(order=order, state=Dispatch.State.FAILED, error_code="code_400", error_params=told)
    factories.ApprovalRecordFactory(order=order, opinion="同意开通")
    text = admin_client.get(page_of(order)).content.decode()
    assert 'class="chip chip-amber"' in text
    assert "Pull.Example.com" in text
    assert 'class="chip chip-red"' in text
    assert "&lt;b&gt;400" in text
    assert "同意开通" in text
    assert "desk/palette.css" in text


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_staff_who_may_view_can_read(client, model):
    name = f"view_{model._meta.model_name}"
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label=model._meta.app_label))
    if model is BulkItem:  # its page names an order
        viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(viewer)
    assert client.get(page_of(make(model))).status_code == (404 if model in OF_ITS_OWNER else 200)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_only_reference_data_and_contacts_offer_a_form_and_take_a_write(admin_client, model):
    row = make(model)
    text = admin_client.get(page_of(row)).content.decode()
    assert ('name="_save"' in text) == (model in EDITABLE)
    assert ("deletelink" in text) == (model in EDITABLE)
    adding = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    assert admin_client.get(adding).status_code == (200 if model in [*EDITABLE, ApiToken] else 403)
    if model in EDITABLE:
        return
    assert admin_client.post(page_of(row), {"state": "done", "_save": "1"}).status_code == 403
    assert admin_client.post(page_of(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_contact_can_be_kept(admin_client):
    contact = factories.ContactFactory()
    form = {"name": "王五", "mail": "ww@example.com", "tel": "", "role": "sa", "attribution": "SH", "active": "on"}
    assert admin_client.post(page_of(contact), form).status_code == 302
    contact.refresh_from_db()
    assert (contact.name, contact.attribution_id) == ("王五", "SH")


def test_payloads_are_laid_out(admin_client):
    row = factories.InboundMessageFactory(body='{"a": "中文", "b": "<script>"}')
    text = admin_client.get(page_of(row)).content.decode()
    assert "{\n  &quot;a&quot;: &quot;中文&quot;,\n  &quot;b&quot;: &quot;&lt;script&gt;&quot;\n}" in text
