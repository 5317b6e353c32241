"""Take the big-data side's books as ours."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.actions.take import ask_all, is_about_start, stopped, take, why_not_quiet, why_not_take, why_not_take_move
from orders.books.books import has_look_up
from orders.models import Dispatch
from orders.order_page.decisions.base import Decision, StepForm, failed_billing
from orders.order_words.ladder.step_rungs import Facts
from orders.outbox.effects import starts_in_doubt
from orders.outbox.moves import unresolved
from orders.outbox.outcome import ACTED_BEFORE, DOUBTS
from orders.texts.errors import NotAllowedError

START, FAILED = Dispatch.Step.START_BPM, Dispatch.State.FAILED


class TakeForm(StepForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if is_about_start(self.order):
            self.fields["step"] = forms.CharField(initial=START, widget=forms.HiddenInput)

    def rows(self):
        return [*stopped(self.order), *starts_in_doubt(self.order)]


class Take(Decision):
    key = "take"
    place = 120
    label = _("Take the partner's books")
    permission = "orders.take_books"
    four_eyes = "take"
    done = _("The big-data side's books are ours now.")
    form = TakeForm
    asks = staticmethod(ask_all)
    service = staticmethod(take)
    foresee = staticmethod(dry_run.take)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        """Somebody who is billed still is no matter of taking: a comparison finds out whether the records are gone."""
        start = any(row.step == START and row.state == FAILED and row.error_code in DOUBTS for row in facts.steps)
        if not (start or has_look_up()):
            return NotAllowedError("look_up_by_person")
        if move := unresolved(facts.steps):
            return why_not_take_move(facts.order, move, facts.now) or why_not_quiet(facts.order, facts.moving)
        there = start or any(row.error_code in {ACTED_BEFORE, *DOUBTS} for row in failed_billing(facts))
        why = why_not_take(facts.order, stopped=there, differs=facts.differs, billed=False)
        return why or why_not_quiet(facts.order, facts.moving)
