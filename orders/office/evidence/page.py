"""The page that exports an order's evidence, at once or after a second person's approval, and the customer's proof."""

from functools import partial

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import staff_actor
from orders.lists.personal_data import may_open
from orders.models import Order
from orders.office.evidence.archive import EVIDENCE, ZIP, evidence_query
from orders.office.evidence.contents import EXPORT, evidence_of
from orders.office.evidence.proof import proof_of
from orders.office.exports.page import PersonalDataForm, answer_export


class EvidenceForm(PersonalDataForm):
    personal = forms.BooleanField(
        label=gettext_lazy("With people's names, phones and mails unmasked, and the info-security files"),
        required=False,
    )


PROOF = ("orders.view_orderdomain", "orders.view_billingrecord")


def evidence_pages(orders) -> list[URLPattern]:
    view = orders.about_order
    return [
        path("<int:pk>/evidence/", view(answer_evidence), name="orders_order_evidence"),
        path("<int:pk>/proof/", view(answer_proof), name="orders_order_proof"),
    ]


def answer_proof(pages, request: HttpRequest, order: Order):
    if not request.user.has_perms(PROOF):
        raise PermissionDenied
    now = timezone.now()
    title = _("Proof for the customer %(number)s") % {"number": order.number}
    proof = proof_of(order, pages.get_queryset(request), now=now)
    return pages.show(request, "evidence/proof.html", title=title, order=order, proof=proof, now=now)


def answer_evidence(pages, request: HttpRequest, order: Order):
    """GET: the form. POST: the archive, or a redirect to the page of its export."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    form = EvidenceForm(request.POST if request.method == "POST" else None, offered=may_open(request.user))
    if request.method == "POST" and form.is_valid():
        return _export(request, order.number, **form.cleaned_data)
    return pages.show(request, "evidence/form.html", title=_("Evidence"), order=order, form=form)


def _export(request: HttpRequest, number: str, *, personal: bool = False, reason: str = ""):
    how = {"personal": personal, "reason": reason.strip()}
    read = partial(evidence_of, number, request.user, by=staff_actor(request.user), **how)
    return answer_export(request, read, list_name=EVIDENCE, query=evidence_query(number), columns=[], format=ZIP, **how)
