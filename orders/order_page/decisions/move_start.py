"""Move the start day of a scheduled activation."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import dry_run
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_words.ladder.step_rungs import Facts
from orders.outbox.moves import move_of
from orders.start_day.moving import move_start, why_not_move, why_not_on
from orders.texts.errors import NotAllowedError


class DayForm(ReasonForm):
    day = forms.DateField(
        label=gettext_lazy("new start day"),
        help_text=gettext_lazy("Today or later."),
        widget=forms.DateInput(attrs={"type": "date", "autofocus": True, "data-draft": ""}, format="%Y-%m-%d"),
    )
    field_order = ["day", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["reason"].widget.attrs["autofocus"]
        self.fields["day"].widget.attrs["min"] = timezone.localdate().isoformat()

    def clean_day(self):
        day, now = self.cleaned_data["day"], timezone.now()
        if not why_not_move(self.order, now) and (why := why_not_on(self.order, day, now)):
            raise forms.ValidationError(why.words())
        return day


class MoveStart(Decision):
    key = "move_start"
    place = 45
    label = gettext_lazy("Move the start day")
    permission = "orders.move_start"
    four_eyes = "move_start"
    heeded = frozenset({"no_service"})
    form = DayForm
    service = staticmethod(move_start)
    foresee = staticmethod(dry_run.move_start)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_move(facts.order, facts.now)

    def act(self, facts: Facts, *, by: str, reason: str, **day) -> str:
        order = move_start(number=facts.order.number, by=by, reason=reason, now=facts.now, **day)
        if move_of(order):
            return _("The new day goes to the big-data side next; the order moves when it has accepted that.")
        return _("The start day is moved.")
