"""The form of a note on a customer."""

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.search import customer_address
from orders.customer_page.views import WRITE
from orders.order_page.decisions.base import LONGEST_REASON
from orders.people import staff_actor
from orders.services.audit import note_customer


class CustomerNoteForm(forms.Form):
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=LONGEST_REASON,
        help_text=gettext_lazy("It stands on top of the customer's page, with your name, for good."),
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True, "data-draft": ""}),
    )


class CustomerNotes:
    def get_urls(self):
        note = self.admin_site.admin_view(self.note_view)
        return [path("<path:object_id>/note/", note, name="orders_customer_note"), *super().get_urls()]

    def note_view(self, request, object_id: str):
        if not self.has_view_permission(request) or not request.user.has_perm(WRITE):
            raise PermissionDenied
        customer = self.get_object(request, unquote(object_id))
        if customer is None:
            raise Http404
        form = CustomerNoteForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            by, text = staff_actor(request.user), form.cleaned_data["note"]
            note_customer(enterprise_id=customer.pk, text=text, by=by, now=timezone.now())
            messages.success(request, _("The note is kept."))
            return redirect(customer_address(customer.pk))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Write a note"),
            "form": form,
            "customer": customer,
        }
        return TemplateResponse(request, "admin/orders/customer/note.html", context)
