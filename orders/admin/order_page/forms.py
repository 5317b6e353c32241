"""The forms of decisions: each asks the reason, and carries what the person had seen."""

import datetime

from django import forms
from django.core.validators import MinValueValidator
from django.utils.translation import gettext_lazy as _

from orders.models import Dispatch, Province
from orders.pages.history import PARTNER_NAMES
from orders.services.incidents import PARTNERS

LONGEST_REASON = 500
FIRST_DAY = datetime.date(2000, 1, 1)  # nothing is older; the year 1 has no midnight in every time zone


class ReasonForm(forms.Form):
    """`seen`: the newest event on the page that the person came from."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True, "data-draft": ""}),
        help_text=_("It enters the order's history with your name."),
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def more(self) -> dict[str, str]:
        """What the service wants besides the reason."""
        return {key: value for key, value in self.cleaned_data.items() if key not in {"reason", "seen"}}


class AttributionForm(ReasonForm):
    letters = forms.ChoiceField(label=_("attribution"))
    field_order = ["letters", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["letters"].choices = [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class NoteForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Note")


FORMS = {"attribute": AttributionForm, "note": NoteForm}


class ManyFilter(forms.Form):
    """Which failed steps are meant: lives in the address, so that a colleague can be sent the same view."""

    partner = forms.ChoiceField(
        label=_("partner"),
        required=False,
        choices=[("", _("all")), *((name, PARTNER_NAMES[name]) for name in sorted(set(PARTNERS.values())))],
    )
    channel = forms.ChoiceField(label=_("channel"), required=False, choices=[("", _("all")), *Dispatch.Channel.choices])
    code = forms.CharField(label=_("error code"), required=False, max_length=32)
    since = forms.DateField(
        label=_("made since"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[MinValueValidator(FIRST_DAY)],
    )  # fmt: skip


class ManyForm(forms.Form):
    """Confirms it. `seen` is a digest of the orders that the dry run was about."""

    reason = forms.CharField(
        label=_("Reason"), max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 3, "data-draft": ""})
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
