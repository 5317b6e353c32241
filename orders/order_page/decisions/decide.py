"""Decide in BPM's place."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from approvals.models import ApprovalRecord
from orders.errors import NotAllowedError
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_page.ladder.steps import Facts
from orders.queries import dry_run
from orders.services.deciding import WORDS, decide, why_not_count, why_not_decide


class DecideForm(ReasonForm):
    """The finished records of BPM that don't count yet, and what is entered where BPM's record was lost."""

    record = forms.ChoiceField(label=_("decision"))
    field_order = ["record", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        counts = "" if self.is_bound else self.order.decision  # what was offered is judged by the decision itself
        rows = self.order.approvals.filter(finished=True, source=ApprovalRecord.Source.BPM)
        rows = rows.exclude(result=counts).order_by("pk")
        refused = set() if self.is_bound else {word for word in WORDS if why_not_count(self.order, word)}
        rows = rows.exclude(result__in=refused)
        words = [("pass", _("pass, BPM's record was lost")), ("reject", _("reject, BPM's record was lost"))]
        self.fields["record"].choices = [
            ("", "---------"),
            *((row.record_id, self.said(row)) for row in rows),
            *(pair for pair in words if pair[0] not in {counts, *refused}),
        ]

    def said(self, row: ApprovalRecord) -> str:
        return f"{row.get_result_display()} · {row.operator} · {timezone.localtime(row.time):%m-%d %H:%M}"


class Decide(Decision):
    key = "decide"
    place = 180
    label = _("Decide in BPM's place")
    permission = "orders.decide_order"
    done = _("This decision counts now.")
    danger = True
    form = DecideForm
    service = staticmethod(decide)
    foresee = staticmethod(dry_run.decide)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        whys = [why_not_count(facts.order, word) for word in WORDS]
        return why_not_decide(facts.order) or (whys[0] if all(whys) else None)
