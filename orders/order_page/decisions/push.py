"""Ask the SAs to have the order approved."""

from django.utils.translation import gettext_lazy as _

from orders.bpm.pushing import push_approval, push_text, why_not_push
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_words.ladder.step_rungs import Facts
from orders.texts.errors import NotAllowedError


class PushForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        remark = self.fields["reason"]
        remark.required, remark.label = False, _("Remark for the SA")
        remark.help_text = _("It stands in the mail and in the order's history. It may stay empty.")


class Push(Decision):
    key = "push"
    place = 65
    label = _("Push the approval")
    permission = "orders.push_approval"
    done = _("The mail to the SA goes out next; who pushed stands in the order's history.")
    form = PushForm
    service = staticmethod(push_approval)
    follows = _("The SA of the order's attribution gets the mail below. The order itself does not change.")

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_push(facts.order, facts.pushed)

    def preview(self, facts: Facts, *, by: str) -> str:
        return push_text(facts.order, by=by, now=facts.now)
