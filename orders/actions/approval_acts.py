"""Staff actions on BPM's approval: decide in BPM's place, or push for a decision by a mail to the SA."""

from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from notifications.contacts_and_recipients import chosen_as
from notifications.masks import mask_name
from orders.actions import action_previews
from orders.actions.action import Action, ReasonForm
from orders.bpm.pushing import push_approval, push_text, whom_to_mail, why_not_push
from orders.history.actors import operator_of
from orders.models import Order
from orders.order_words.ladder.step_stages import Facts
from orders.replanning.staff_decision import decide, why_not_count, why_not_decide


class DecideForm(ReasonForm):
    """Form that chooses which finished record of BPM counts from now on. If BPM has sent no finished record with this
    result, the record counts as lost, and the field is removed."""

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


def _in_bpms_place(form: type[DecideForm], **own: Any) -> Action:
    """Returns the action that decides the form's `result`: by a record of BPM or, if that record was lost, by staff
    alone."""

    def service(*, record: str = "", **about: Any) -> Order:
        return decide(record=record or form.result, **about)

    return Action(
        permission="orders.decide_order",
        four_eyes="decide",
        form=form,
        why_not=lambda facts: why_not_decide(facts.order) or why_not_count(facts.order, form.result),
        preview_effects=lambda order, *, now, **record: action_previews.decide(order, now=now, result=form.result),
        service=service,
        **own,
    )


PASS = _in_bpms_place(PassForm, key="pass", label=_("Decide in BPM's place: pass"), done=_("The pass counts now."))
REJECT = _in_bpms_place(
    RejectForm,
    key="reject",
    label=_("Decide in BPM's place: reject"),
    done=_("The reject counts now."),
    danger=True,
)


class PushForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        remark = self.fields["reason"]
        remark.required, remark.label = False, _("Remark for the SA")
        remark.help_text = _("It stands in the mail and in the order's history. It may stay empty.")


def _pushing(facts: Facts, **_asked: object) -> list[str]:
    people = [f"{chosen_as(one.how, one.of, one.instead)} {mask_name(one.name)}" for one in whom_to_mail(facts.order)]
    return [
        gettext("The mail below goes to: %(people)s.") % {"people": gettext(", ").join(people)},
        gettext("The order itself does not change."),
    ]


PUSH = Action(
    key="push",
    label=_("Push the approval"),
    permission="orders.push_approval",
    done=_("The mail goes out next; who pushed stands in the order's history."),
    form=PushForm,
    why_not=lambda facts: why_not_push(facts.order, facts.pushed),
    says=_pushing,
    preview=lambda facts, by: push_text(facts.order, by=by, now=facts.now),
    service=push_approval,
)
