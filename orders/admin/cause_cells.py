"""Advice with its acts on a row's page, and the cause of a row's failure on the pages of steps and mails."""

from functools import partial

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.lists.cells import column
from orders.lists.pauses_in_force import paused_for
from orders.order_page.advice_buttons import Advised, Ways
from orders.order_words.order_facts import facts_of
from orders.texts.incident_texts import cause_of


def advised_cell(obj) -> str:
    """Returns the advice that `obj.advised` computes, with its acts."""
    return render_to_string("includes/advice.html", {"advised": obj.advised()})


class AdvisedPage:
    """The page of a row that gives advice. A subclass provides the advice, with the acts that the reader can do."""

    def advise(self, request, obj) -> Advised:
        raise NotImplementedError

    def get_object(self, request, object_id, from_field=None):
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.advised = partial(self.advise, request, obj)
        return obj


class CauseCells(AdvisedPage):
    cause = column(_("cause"), lambda obj: cause_of(obj.error_code).what if obj.error_code else "-")
    what_to_do = column(
        _("what to do"),
        lambda obj: cause_of(obj.error_code).next if obj.error_code else "-",
        lambda obj: advised_cell(obj) if obj.error_code else "-",
    )

    def ways(self, request, obj) -> Ways:
        return Ways(request.user, facts_of(obj.order, now=timezone.now(), paused=paused_for(request)))

    def advise(self, request, obj) -> Advised:
        return self.ways(request, obj).advise(cause_of(obj.error_code).advice)
