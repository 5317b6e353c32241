"""Staff actions on a start day and on a trial's end: run the day now, or move it."""

import datetime

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import action_previews
from orders.actions.action import Action, ReasonForm
from orders.models import Order
from orders.order_words.ladder.step_stages import Facts
from orders.outbox.open_moves import move_of
from orders.start_day.move_end import move_end, why_not_end_on, why_not_move_end
from orders.start_day.move_start import move_start, why_not_move, why_not_on
from orders.start_day.start_day import run_start_day, why_not_run
from orders.texts.errors import NotAllowedError

ACTIVATE = Action(
    key="activate",
    label=gettext_lazy("Run the start day now"),
    permission="orders.run_activation",
    done=gettext_lazy("The start day is under way."),
    why_not=lambda facts: why_not_run(facts.order, facts.now),
    follows=gettext_lazy("The steps that wait for the start day are carried out at once."),
    service=run_start_day,
)


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
        day = self.cleaned_data["day"]
        if why := self.why_not_day(day, timezone.now()):
            raise forms.ValidationError(why.words())
        return day

    def why_not_day(self, day: datetime.date, now: datetime.datetime) -> NotAllowedError | None:
        """Returns the error if the day is wrong, or None. Also returns None if no day is possible: the action reports
        this case."""
        return None if why_not_move(self.order, now) else why_not_on(self.order, day, now)


class LastDayForm(DayForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["day"].label = gettext_lazy("new last day")

    def why_not_day(self, day, now):
        return None if why_not_move_end(self.order, now) else why_not_end_on(self.order, day, now)


def _how_it_moves(_facts: Facts, order: Order) -> str:
    if move_of(order):
        return _("The new day goes to the big-data side next; the order moves when it has accepted that.")
    return _("The start day is moved.")


MOVE_START = Action(
    key="move_start",
    label=gettext_lazy("Move the start day"),
    permission="orders.move_start",
    four_eyes="move_start",
    form=DayForm,
    why_not=lambda facts: why_not_move(facts.order, facts.now),
    preview_effects=action_previews.move_start,
    must_read=frozenset({"no_service"}),
    service=move_start,
    became=_how_it_moves,
)
MOVE_END = Action(
    key="move_end",
    label=gettext_lazy("Move the trial's end"),
    permission="orders.move_end",
    four_eyes="move_end",
    done=gettext_lazy("The trial's end is moved; the new day goes to the big-data side next."),
    form=LastDayForm,
    why_not=lambda facts: why_not_move_end(facts.order, facts.now),
    preview_effects=action_previews.move_end,
    must_read=frozenset({"ends_sooner"}),
    service=move_end,
)
