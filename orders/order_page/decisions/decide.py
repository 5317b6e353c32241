"""Decide in BPM's place: a pass, or a reject. Each is a decision of its own, with its own words."""

from typing import ClassVar

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from orders.actions import dry_run
from orders.history.people import operator_of
from orders.models import Order
from orders.order_page.decisions.base import Decision, ReasonForm, sentences
from orders.order_words.ladder.step_rungs import Facts
from orders.replanning.deciding import decide, why_not_count, why_not_decide
from orders.texts.errors import NotAllowedError


class DecideForm(ReasonForm):
    """Which finished record of BPM counts from now on. Not asked where BPM has none: then its record was lost."""

    result: ClassVar[str]
    lost: ClassVar[str | Promise]

    record = forms.ChoiceField(label=_("BPM's record"))
    field_order = ["record", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        rows = self.order.approvals.filter(finished=True, source=ApprovalRecord.Source.BPM, result=self.result)
        known = [(row.record_id, self.words_of(row)) for row in rows.order_by("-pk")]
        self.fields["record"].choices = [*known, (self.result, self.lost)]
        if not known:
            del self.fields["record"]

    def said(self, name, value):
        return str(self.lost) if name == "record" and value == self.result else super().said(name, value)

    @staticmethod
    def words_of(row: ApprovalRecord) -> str:
        return f"{row.get_result_display()} · {operator_of(row)} · {timezone.localtime(row.time):%m-%d %H:%M}"


class PassForm(DecideForm):
    result, lost = Order.Decision.PASS.value, _("pass, BPM's record was lost")


class RejectForm(DecideForm):
    result, lost = Order.Decision.REJECT.value, _("reject, BPM's record was lost")


class Decide(Decision):
    """What both have in common. The form's `result` is what is decided."""

    form: ClassVar[type[DecideForm]]
    permission = "orders.decide_order"
    four_eyes = "decide"
    service = staticmethod(decide)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_decide(facts.order) or why_not_count(facts.order, self.form.result)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        return sentences(dry_run.decide(facts.order, now=facts.now, result=self.form.result))

    def act(self, facts: Facts, *, by: str, reason: str, record: str = "") -> None:
        super().act(facts, by=by, reason=reason, record=record or self.form.result)


class Pass(Decide):
    key = "pass"
    place = 180
    label = _("Decide in BPM's place: pass")
    done = _("The pass counts now.")
    form = PassForm


class Reject(Decide):
    key = "reject"
    place = 181
    label = _("Decide in BPM's place: reject")
    done = _("The reject counts now.")
    danger = True
    form = RejectForm
