"""Write a note into the order's history."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.mails.mentions import Mentions
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_words.ladder.step_rungs import Facts
from orders.people.staff_events import add_note


class NoteForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Note")
        self.fields["reason"].help_text = _("Whom you name by @ is told by mail, such as @wangmin or @王敏.")


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

    def act(self, facts, *, by, reason, **more):
        mentions = add_note(number=facts.order.number, by=by, reason=reason, now=facts.now, **more)
        return " ".join([str(self.done), *mention_words(mentions)])


def mention_words(found: Mentions) -> list[str]:
    """Who was told of a note, and who was not and why, in sentences."""
    comma = gettext(", ")
    sentences = [
        (gettext("Told by mail: %(names)s."), found.told),
        (
            gettext(
                "Not mailed, since your notes have caused 30 mails within an hour; the next digest of each names it: "
                "%(names)s."
            ),
            found.later,
        ),
        (gettext("Nobody is called that, so nobody was told: %(names)s."), found.unknown),
        (gettext("Several are called that, so nobody was told: %(names)s. Use the user name."), found.several),
        (gettext("May not see it, and was not told: %(names)s."), found.blind),
    ]
    return [words % {"names": comma.join(names)} for words, names in sentences if names]
