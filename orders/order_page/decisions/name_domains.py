"""Name the domains of a subsequent activation."""

import re
from collections import Counter

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.intake.holds import name_domains, why_not_name_domains
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.rules.content import MAX_DOMAINS, domain_fault, domain_key
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError


class DomainsForm(ReasonForm):
    domains = forms.CharField(
        label=gettext_lazy("domains"),
        help_text=gettext_lazy("One a line, as they shall be sent."),
        widget=forms.Textarea(attrs={"rows": 6, "data-draft": "", "class": "mono", "autofocus": True}),
    )
    field_order = ["domains", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["reason"].widget.attrs["autofocus"]

    def clean_domains(self) -> list[str]:
        names = [name for name in re.split(r"[\s,;，；、]+", self.cleaned_data["domains"]) if name]
        if not names:
            raise forms.ValidationError(self.fields["domains"].error_messages["required"])
        if len(names) > MAX_DOMAINS:
            raise forms.ValidationError(NotAllowedError("too_many_domains", most=MAX_DOMAINS).words())
        for name in names:
            if wrong := domain_fault(name):
                text = _("%(name)s can't be ordered: %(why)s")
                raise forms.ValidationError(text, params={"name": name, "why": say_why(wrong)})
        times = Counter(map(domain_key, names))
        if twice := next((name for name in names if times[domain_key(name)] > 1), ""):
            raise forms.ValidationError(_("%(name)s is there twice"), params={"name": twice.lower()})
        return names


class NameDomains(Decision):
    key = "name_domains"
    place = 110
    label = gettext_lazy("Name the domains")
    permission = "orders.name_domains"
    done = gettext_lazy("The domains are named; the order goes on.")
    form = DomainsForm
    guard = staticmethod(why_not_name_domains)
    service = staticmethod(name_domains)
    follows = gettext_lazy("The order gets these domains and goes on.")
