"""Staff notes about an order: add a note, be reminded of a note, or mark a conflict as handled."""

import datetime
from collections.abc import Sequence

from django import forms
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.action import Action, ReasonForm
from orders.actions.bulk_action import Bulk, BulkForm, Judged, each
from orders.lists.reason import reason_field
from orders.mails.inbox import remind, why_not_on_day
from orders.mails.mentions import Mentions
from orders.models import Conflict, Order
from orders.models.proxies import open_conflicts
from orders.order_words.ladder.step_stages import Facts
from orders.people.staff_events import add_note, see_conflict, see_conflicts, why_not_see


class NoteForm(ReasonForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Note")
        self.fields["reason"].help_text = _("Whom you name by @ is told by mail, such as @wangmin or @王敏.")


def with_mentions(done: object, found: Mentions) -> str:
    """Returns the confirmation of a note. It names the people who were mailed. It also names those who were not, with
    the reasons."""
    comma = _(", ")
    sentences = [
        (_("Told by mail: %(names)s."), found.told),
        (
            _(
                "Not mailed, since your notes have caused 30 mails within an hour; the next digest of each names it: "
                "%(names)s."
            ),
            found.later,
        ),
        (_("Nobody is called that, so nobody was told: %(names)s."), found.unknown),
        (_("Several are called that, so nobody was told: %(names)s. Use the user name."), found.several),
        (_("May not see it, and was not told: %(names)s."), found.blind),
    ]
    return " ".join([str(done), *(words % {"names": comma.join(names)} for words, names in sentences if names)])


class ManyNoteForm(BulkForm):
    reason = reason_field(gettext_lazy("Note"), autofocus=False)


NOTE = Action(
    key="note",
    label=gettext_lazy("Write a note"),
    permission="orders.add_note",
    guarded=False,
    form=NoteForm,
    follows=gettext_lazy("The note stands on top of the order's page and in its events, with your name, for good."),
    service=add_note,
    became=lambda facts, found: (
        _("The order has this note already; it was not kept again.")
        if found is None
        else with_mentions(_("The note is kept."), found)
    ),
    bulk=Bulk(
        model=Order,
        form=ManyNoteForm,
        judge=each(lambda row: Judged(row, _("get the note, which stays for good"), row.get_state_display())),
        given=lambda row, run, owner: {"number": row.number, "tell": False},
    ),
)


class RemindForm(ReasonForm):
    day = forms.DateField(
        label=gettext_lazy("day"),
        widget=forms.DateInput(attrs={"type": "date", "autofocus": True, "data-draft": ""}, format="%Y-%m-%d"),
    )
    field_order = ["day", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("About what")
        del self.fields["reason"].widget.attrs["autofocus"]
        self.fields["day"].widget.attrs["min"] = (timezone.localdate() + datetime.timedelta(days=1)).isoformat()

    def clean_day(self):
        if why := why_not_on_day(self.cleaned_data["day"], timezone.now()):
            raise forms.ValidationError(why.words())
        return self.cleaned_data["day"]


REMIND = Action(
    key="remind",
    label=gettext_lazy("Remind me"),
    permission="orders.add_note",
    guarded=False,
    form=RemindForm,
    follows=gettext_lazy("On that day it stands in your inbox. Until then you can take it back there."),
    service=remind,
    done=gettext_lazy("You will be reminded by your inbox."),
)


class ConflictForm(ReasonForm):
    """Form that marks conflicts as handled. `newest`: the id of the last message on the page."""

    newest = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["newest"].initial = (
            open_conflicts().filter(order_number=self.order.number).aggregate(Max("pk"))["pk__max"]
        )


def _seeing(facts: Facts, **_asked: object) -> list[str]:
    text = _("Seen to: BBOSS's message of %(at)s, which was refused.")
    times = [timezone.localtime(at) for _pk, at in reversed(facts.conflicts)]
    return [
        *(text % {"at": f"{at:%Y-%m-%d %H:%M:%S}"} for at in times),
        _("The order stays as it is: what we accepted first counts."),
    ]


def _judge_conflicts(rows: Sequence[Conflict], asked: dict) -> list[Judged]:
    known = set(Order.objects.filter(number__in={row.order_number for row in rows}).values_list("number", flat=True))
    return [_judge_conflict(row, row.order_number in known) for row in rows]


def _judge_conflict(row: Conflict, known: bool) -> Judged:
    at = f"{timezone.localtime(row.received_at):%Y-%m-%d %H:%M:%S}"
    if not known:
        return Judged(row, _("stay as they are: no order has their number"), at, acts=False)
    if row.seen_id:
        return Judged(row, _("have been seen to already"), at, acts=False)
    return Judged(row, _("are noted as seen to, with your reason"), at)


SEE_CONFLICT = Action(
    key="conflict",
    label=gettext_lazy("Conflict seen to"),
    permission="orders.change_incident",
    done=gettext_lazy("Noted. The conflict stays listed, with your reason."),
    form=ConflictForm,
    why_not=lambda facts: why_not_see(facts.order, facts.conflicts),
    says=_seeing,
    service=see_conflicts,
    bulk=Bulk(
        key="conflicts",
        model=Conflict,
        judge=_judge_conflicts,
        name_of=lambda row: row.order_number,
        service=see_conflict,
        given=lambda row, run, owner: {"message": row},
        large=("body", "hint"),
    ),
)
