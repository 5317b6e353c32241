"""Write a note into the order's history."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_page.ladder.steps import Facts
from orders.services.audit import add_note


class NoteForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = gettext_lazy("Note")


class Note(Decision):
    key = "note"
    place = 70
    label = gettext_lazy("Write a note")
    permission = "orders.add_note"
    done = gettext_lazy("The note is kept.")
    guarded = False
    form = NoteForm

    def why_not(self, facts: Facts) -> None:
        return None

    def will(self, facts: Facts) -> list[str]:
        return [_("The note stands on top of the order's page and in its events, with your name, for good.")]

    def act(self, facts: Facts, *, by: str, reason: str) -> None:
        add_note(number=facts.order.number, by=by, reason=reason, now=facts.now)
