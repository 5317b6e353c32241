"""A person enters the big-data side's records if the big-data side has no look-up (contract 7.2)."""

import datetime

from django import forms
from django.core.validators import MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.action import LOOKED_AT, Action, ReasonForm
from orders.actions.book_acts import failed_billing
from orders.actions.manual_answers import identity, records_in_question
from orders.actions.take import ask_all, take, why_not_quiet, why_not_take, why_not_take_move
from orders.books.books import Look, has_look_up
from orders.models import BillingRecord
from orders.order_words.ladder.step_stages import Facts
from orders.outbox.open_moves import unresolved
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS, LOOK_UP
from orders.texts.errors import NotAllowedError

LIVE, CANCELLED, GONE = "1", "2", "gone"
THERE = [
    ("", "---"),
    (LIVE, gettext_lazy("There and live")),
    (CANCELLED, gettext_lazy("There and cancelled")),
    (GONE, gettext_lazy("Not there")),
]
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
MAX_RECORDS = 30  # records that a person enters by hand
WIRE = "%Y%m%d%H%M%S"
TIMES = {
    "createTime": ("create_time", gettext_lazy("Begins (createTime)")),
    "cancelTime": ("cancel_time", gettext_lazy("Ends, or was cancelled (cancelTime)")),
}


class TimeField(forms.DateTimeField):
    """A time with seconds, also in the big-data side's format."""

    def __init__(self, **kwargs):
        formats = ["%Y-%m-%d %H:%M:%S", WIRE]
        super().__init__(input_formats=formats, widget=forms.DateTimeInput(format=formats[0]), **kwargs)


class LookForm(ReasonForm):
    """Form that asks whether each record in question exists, and for the record's times. Also asks when the person
    looked."""

    look = forms.CharField(label=LOOKED_AT, widget=forms.HiddenInput, required=False)
    as_of = forms.DateTimeField(
        label=gettext_lazy("when you looked"),
        help_text=gettext_lazy("Records that were called less than ten minutes before are left out."),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        validators=[MinValueValidator(LONG_AGO)],  # ten minutes are subtracted: the year 1 would overflow
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "data-draft": ""}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.records = records_in_question(self.order)[:MAX_RECORDS]
        for record in self.records:
            about = {"domain": record.domain, "product": record.product_id, "number": record.order.number}
            self.fields[f"there_{record.pk}"] = forms.ChoiceField(
                label=_("%(number)s: %(domain)s, product %(product)s") % about, choices=THERE
            )
            for name, (ours, label) in TIMES.items():
                moment = getattr(record, ours)
                self.fields[f"{name}_{record.pk}"] = TimeField(label=label, required=False, initial=moment)
        self.order_fields([*(name for name in self.fields if name not in {"as_of", "reason"}), "as_of", "reason"])
        self.fields["as_of"].initial = timezone.localtime().replace(second=0, microsecond=0)
        del self.fields["reason"].widget.attrs["autofocus"]

    def clean(self):
        found = super().clean()
        rows = []
        for record in self.records:
            there = found.get(f"there_{record.pk}")
            if there not in {LIVE, CANCELLED}:
                continue
            row = _identity(record) | {"cancelStatus": there}
            for name in TIMES:
                moment = found.get(f"{name}_{record.pk}")
                if moment is None:
                    self.add_error(f"{name}_{record.pk}", _("Enter the time that stands there."))
                else:
                    row[name] = f"{timezone.localtime(moment):{WIRE}}"
            rows.append(row)
        if as_of := found.get("as_of"):
            found["look"] = Look(rows=rows, as_of=as_of).text
        return found

    def more(self):
        return {"look": self.cleaned_data["look"]}


def _identity(record: BillingRecord) -> dict[str, str]:
    product, _key, info_type, enterprise = identity(record, record.order)
    names = {"productId": product, "domain": record.domain, "enterpriseId": enterprise, "infoType": info_type}
    return {"jobId": record.order.number, **names}


def _why_not(facts: Facts) -> NotAllowedError | None:
    if has_look_up():
        return NotAllowedError("look_needless")
    if move := unresolved(facts.steps):
        why = why_not_take_move(facts.order, move, facts.now)
    else:
        codes = {ACTED_BEFORE, LOOK_UP, *DOUBTS}
        there = any(row.error_code in codes for row in failed_billing(facts))
        why = why_not_take(facts.order, stopped=there, differs=facts.differs, billed=False)
    why = why or why_not_quiet(facts.order, facts.moving)
    if why is None and len(records_in_question(facts.order)) > MAX_RECORDS:
        return NotAllowedError("look_by_file", most=MAX_RECORDS)
    return why


LOOK_UP_BY_HAND = Action(
    key="look_up",
    label=gettext_lazy("Enter what the big-data side holds"),
    permission="orders.take_books",
    four_eyes="take",
    done=gettext_lazy("Noted. It counts as the big-data side's answer, and what waited for it goes on."),
    form=LookForm,
    why_not=_why_not,
    follows=gettext_lazy(
        "What you enter counts as the big-data side's answer, and all goes on by it. Records that were called less "
        "than ten minutes before you looked, or later, are left out."
    ),
    ask_partner=ask_all,
    service=take,
)
