"""See to messages that came with an order's number and other content."""

from django import forms
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models.proxies import open_conflicts
from orders.order_page.decisions.base import Decision, ReasonForm
from orders.order_words.ladder.step_rungs import Facts
from orders.people.staff_events import see_conflicts, why_not_see
from orders.texts.errors import NotAllowedError


class ConflictForm(ReasonForm):
    """`newest`: the last message that the person was shown."""

    newest = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["newest"].initial = (
            open_conflicts().filter(order_number=self.order.number).aggregate(Max("pk"))["pk__max"]
        )


class SeeConflict(Decision):
    key = "conflict"
    place = 170
    label = gettext_lazy("Conflict seen to")
    permission = "orders.change_incident"
    done = gettext_lazy("Noted. The conflict stays listed, with your reason.")
    form = ConflictForm
    service = staticmethod(see_conflicts)

    def why_not(self, facts: Facts) -> NotAllowedError | None:
        return why_not_see(facts.order, facts.conflicts)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        text = _("Seen to: BBOSS's message of %(at)s, which was refused.")
        times = [timezone.localtime(at) for _pk, at in reversed(facts.conflicts)]
        return [
            *(text % {"at": f"{at:%Y-%m-%d %H:%M:%S}"} for at in times),
            _("The order stays as it is: what we accepted first counts."),
        ]
