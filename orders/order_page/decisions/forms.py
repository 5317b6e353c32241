"""The forms of decisions: each asks the reason, and carries what the person had seen."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable

from django import forms
from django.core.validators import MinValueValidator
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from orders.content import MOST_DOMAINS, domain_fault
from orders.error_codes import cause_of
from orders.errors import NotAllowedError
from orders.models import Dispatch, Order, Province
from orders.models.proxies import open_conflicts
from orders.order_page.error_messages import said
from orders.order_page.history import PARTNER_NAMES
from orders.services.compensation.late import is_late
from orders.services.giving_up import given_up_by
from orders.services.reconciliation.take import acceptable, stopped
from orders.steps import PARTNERS

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

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order

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


class StepForm(ReasonForm):
    """Which of the steps is meant; not asked where there is one only."""

    step = forms.ChoiceField(label=_("step"), required=False)
    field_order = ["step", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        offer(self, "step", ((row.step, row.get_step_display()) for row in self.rows()))

    def rows(self) -> list[Dispatch]:
        """The steps that the act may be about."""
        raise NotImplementedError


class GiveUpForm(StepForm):
    def rows(self):
        try:
            return given_up_by(self.order)
        except NotAllowedError:
            return []


class TakeForm(StepForm):
    def rows(self):
        return stopped(self.order)


class AcceptForm(ReasonForm):
    """Which of the order's incidents is meant; not asked where there is one only."""

    incident = forms.ChoiceField(label=_("incident"), required=False)
    field_order = ["incident", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        troubles, _steps = acceptable(self.order)
        codes = [row.incident.code for row in troubles]
        offer(self, "incident", ((code, cause_of(code).what) for code in codes))


def offer(form: ReasonForm, name: str, choices: Iterable[tuple]) -> None:
    """The choices of a field, each once, after "all of them"; one alone is no choice."""
    choices = list(dict.fromkeys(choices))
    form.fields[name].choices = [("", _("all of them")), *choices]
    if len(choices) < 2:
        del form.fields[name]


class DecideForm(ReasonForm):
    """The finished records of BPM that don't count yet, and what is entered where BPM's record was lost."""

    record = forms.ChoiceField(label=_("decision"))
    field_order = ["record", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        counts = "" if self.is_bound else self.order.decision  # what was offered is judged by the decision itself
        rows = self.order.approvals.filter(finished=True, source=ApprovalRecord.Source.BPM)
        rows = rows.exclude(result=counts).order_by("pk")
        words = [("pass", _("pass, BPM's record was lost")), ("reject", _("reject, BPM's record was lost"))]
        self.fields["record"].choices = [
            ("", "---------"),
            *((row.record_id, self.said(row)) for row in rows),
            *(pair for pair in words if pair[0] != counts),
        ]

    def said(self, row: ApprovalRecord) -> str:
        return f"{row.get_result_display()} · {row.operator} · {timezone.localtime(row.time):%m-%d %H:%M}"


class ConflictForm(ReasonForm):
    """`newest`: the last message that the person was shown."""

    newest = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["newest"].initial = (
            open_conflicts().filter(order_number=self.order.number).aggregate(Max("pk"))["pk__max"]
        )


class DomainsForm(ReasonForm):
    """One domain a line; commas and blanks part them too."""

    domains = forms.CharField(
        label=_("domains"), help_text=_("One a line, as they shall be sent."),
        widget=forms.Textarea(attrs={"rows": 6, "data-draft": "", "class": "mono", "autofocus": True}),
    )  # fmt: skip
    field_order = ["domains", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["reason"].widget.attrs["autofocus"]

    def clean_domains(self) -> list[str]:
        names = [name for name in re.split(r"[\s,;，；、]+", self.cleaned_data["domains"]) if name]
        if not names:
            raise forms.ValidationError(self.fields["domains"].error_messages["required"])
        if len(names) > MOST_DOMAINS:
            raise forms.ValidationError(_("More than %(most)s domains."), params={"most": MOST_DOMAINS})
        for name in names:
            if wrong := domain_fault(name):
                text = _("%(name)s can't be ordered: %(why)s")
                raise forms.ValidationError(text, params={"name": name, "why": said(wrong)})
        if twice := next((name for name, number in Counter(map(str.lower, names)).items() if number > 1), ""):
            raise forms.ValidationError(_("%(name)s is there twice"), params={"name": twice})
        return names


class WithdrawForm(ReasonForm):
    """How a late undoing is done; not asked otherwise."""

    how = forms.ChoiceField(
        label=_("how it is undone"), widget=forms.RadioSelect,
        choices=[("cancel", _("Cancel from now on: what was used until now is billed")),
                 ("delete", _("Delete: nothing of it is billed"))],
    )  # fmt: skip
    field_order = ["how", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not is_late(self.order, timezone.now()):
            del self.fields["how"]


FORMS = {
    "attribute": AttributionForm,
    "note": NoteForm,
    "give_up": GiveUpForm,
    "take": TakeForm,
    "accept": AcceptForm,
    "decide": DecideForm,
    "name_domains": DomainsForm,
    "conflict": ConflictForm,
    "withdraw": WithdrawForm,
}


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
