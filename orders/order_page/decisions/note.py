"""Write a note into the order's history."""

from django.utils.translation import gettext_lazy as _

from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_page.ladder.steps import Facts
from orders.services.audit import add_note


class NoteForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Note")


class Note(Decision):
    key = "note"
    place = 70
    label = _("Write a note")
    permission = "orders.add_note"
    done = _("The note is kept.")
    guarded = False
    form = NoteForm
    service = staticmethod(add_note)
    follows = _("The note stands on top of the order's page and in its events, with your name, for good.")

    def why_not(self, facts: Facts) -> None:
        return None
