"""The page that asks how an order's evidence is taken, and the file at once or after a second person's word."""

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.errors import ExportError, OrderError
from orders.lists.personal import PERMISSION as SEE_PERSONAL_DATA
from orders.lists.scope import attributions_of
from orders.models import Order
from orders.office.evidence.archive import EVIDENCE, ZIP, evidence_query
from orders.office.evidence.contents import EXPORT, evidence_of
from orders.office.exports.models import Export
from orders.office.exports.page import LONGEST_REASON, send_file
from orders.office.exports.service import begin_export, fail_export, write_export
from orders.order_page.page_context import request_actor


class EvidenceForm(forms.Form):
    """Masked, or with people's data and the reason for them."""

    personal = forms.BooleanField(
        label=gettext_lazy("With people's names, phones and mails unmasked, and the info-security files"),
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Needed for personal data."),
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        if not user.has_perm(SEE_PERSONAL_DATA):
            del self.fields["personal"], self.fields["reason"]

    def clean(self):
        given = super().clean()
        if given.get("personal") and not given.get("reason", "").strip():
            self.add_error("reason", _("Say what the personal data are needed for."))
        return given


def answer_evidence(pages, request: HttpRequest, order: Order):
    """GET: the form. POST: the archive, or the page of its export."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    form = EvidenceForm(request.POST if request.method == "POST" else None, user=request.user)
    if request.method == "POST" and form.is_valid():
        return _export(request, order, **form.cleaned_data)
    return pages.show(request, "evidence/form.html", title=_("Evidence"), order=order, form=form)


def _export(request: HttpRequest, order: Order, *, personal: bool = False, reason: str = ""):
    by = request_actor(request)
    row = begin_export(
        by=by,
        list_name=EVIDENCE,
        query=evidence_query(order.number),
        columns=[],
        format=ZIP,
        personal=personal,
        reason=reason,
        scope=attributions_of(request.user),
        now=timezone.now(),
    )
    if row.state == Export.State.ASKED:
        return redirect("admin:orders_export_change", row.pk)
    try:
        table = evidence_of(order.number, request.user, personal=personal, by=by, reason=reason.strip())
        done = write_export(row, table)
    except OrderError as error:
        fail_export(row, error)
        done = False
    except Exception:
        fail_export(row, ExportError("export_broken"))
        raise
    row.refresh_from_db()
    return send_file(row, by=by) if done else redirect("admin:orders_export_change", row.pk)
