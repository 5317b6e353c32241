"""Staff actions on a start day: run it now, or move it."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import action_previews
from orders.actions.action import Action, ReasonForm
from orders.models import Order
from orders.order_words.ladder.step_stages import Facts
from orders.outbox.open_moves import move_of
from orders.start_day.move_start import move_start, why_not_move, why_not_on
from orders.start_day.start_day import run_start_day, why_not_run

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
        day, now = self.cleaned_data["day"], timezone.now()
        if not why_not_move(self.order, now) and (why := why_not_on(self.order, day, now)):
            raise forms.ValidationError(why.words())
        return day


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
