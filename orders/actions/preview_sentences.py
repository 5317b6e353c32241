"""The sentences of orders.actions.action_previews, which describe the effects of a staff action in the reader's
language."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext, ngettext_lazy, override
from django.utils.translation import gettext_lazy as _

from orders.models import Difference, Dispatch, Order

SENTENCES = {
    # sent to the big-data side
    "deletes": ngettext_lazy("%(n)d billing record will be deleted.", "%(n)d billing records will be deleted.", "n"),
    "cancels": ngettext_lazy(
        "%(n)d billing record will be cancelled from now on; what was used until now is billed.",
        "%(n)d billing records will be cancelled from now on; what was used until now is billed.",
        "n",
    ),
    "cancels_trial": ngettext_lazy(
        "%(n)d trial record will be cancelled.", "%(n)d trial records will be cancelled.", "n"
    ),
    "restores": ngettext_lazy("%(n)d trial record will be restored.", "%(n)d trial records will be restored.", "n"),
    "moves_ends": ngettext_lazy(
        "%(n)d trial record gets the last day that is meant without this order.",
        "%(n)d trial records get the last day that is meant without this order.",
        "n",
    ),
    "ends_without": _("Without this change the trial has ended."),
    "runs_without": _("Without this change the trial has not ended, so it runs again."),
    "nothing_there": _("Nothing has reached the big-data side; nothing has to be deleted there."),
    "closes_steps": _("Steps that were never begun are closed."),
    "taken_back": _("What was sent is being taken back, or has been."),
    # how an order ends
    "ends_failed": _("The order ends as failed; it can be sent anew afterwards."),
    "ends_withdrawn": _("The order ends as withdrawn, for good."),
    "frees_trial": _("The activation releases its trial."),
    "ends_trial": _("Its trial ends, and nobody holds it any more."),
    "withdraws_changes": _("Its changes are withdrawn with it."),
    "built_upon": _(
        "An activation was begun with this change and goes on as it is; an incident names both until somebody looks."
    ),
    "process_goes_on": _("The process in BPM is not ended by this: tell the people there."),
    # give_up
    "gives_up": _("The step is given up: %(step)s"),
    "asks_first": _(
        "Nobody knows whether it was carried out, so the big-data side is asked at once and after ten minutes; what "
        "waits behind it waits for the second answer."
    ),
    "never_made": ngettext_lazy(
        "%(n)d record that was never made counts as deleted, and later steps leave it out.",
        "%(n)d records that were never made count as deleted, and later steps leave them out.",
        "n",
    ),
    "trial_shrinks": _("Domains whose records were never made are not on trial; if none is left, the trial ends."),
    "change_shrinks": _(
        "The change says nothing about domains on which it did not act, and what it moved at some domains only is put "
        "back. If it did nothing, it ends as withdrawn."
    ),
    "no_restore": _(
        "If the trial's records are not as it is meant to be, they are not sent again: it ends for good, and nobody "
        "holds it."
    ),
    "not_put_back": _(
        "If the trial's records are not as it is meant to be, a difference stays open at trial and change until this "
        "is sent again, the difference is put right, or somebody accepts it."
    ),
    "runs_on": _(
        "Trial records that are live there still, and are not meant, stand in an incident until the books show them "
        "gone, they are meant again, or somebody accepts it. What is to be restored goes on."
    ),
    "billed_still": _(
        "The order gets its ending. What the big-data side bills still stands in an incident, until its books show it "
        "gone or somebody accepts it; until then nobody else gets the trial."
    ),
    "trial_still_live": _(
        "The order becomes active. Trial records that are live still stand in an incident, until the books show them "
        "gone or somebody accepts it."
    ),
    "plans_behind": _("What waits behind it and was never begun is planned anew, then goes on: %(orders)s"),
    # take, accept
    "asks_books": _("The big-data side is asked again what it holds."),
    "takes_step": _("Our records become what it holds, and the step is done: %(step)s"),
    "takes_differences": ngettext_lazy(
        "Our records become what it holds; %(n)d difference is settled: %(names)s",
        "Our records become what it holds; %(n)d differences are settled: %(names)s",
        "n",
    ),
    "only_as_shown": _("If it holds something else than is shown here, nothing is changed, and that is shown first."),
    "accepts_not_billed": ngettext_lazy(
        "%(number)s stays as it is (%(state)s) and is not billed for %(n)d record that is gone there: %(names)s",
        "%(number)s stays as it is (%(state)s) and is not billed for %(n)d records that are gone there: %(names)s",
        "n",
    ),
    "accepts_billed_not_active": ngettext_lazy(
        "%(number)s is over (%(state)s), and %(n)d record of it stays live there: %(names)s",
        "%(number)s is over (%(state)s), and %(n)d records of it stay live there: %(names)s",
        "n",
    ),
    "accepts_differences": ngettext_lazy(
        "%(n)d record stays as it is there: %(names)s", "%(n)d records stay as they are there: %(names)s", "n"
    ),
    "takes_end": _("If its records have one last day there, it becomes the trial's."),
    "takes_earliest": _(
        "The earliest begin of its records there becomes the order's start; it is refused if one is not live."
    ),
    "takes_live_ones": _(
        "The earliest begin of its records there becomes the order's start; one that is not live there differs then, "
        "and is to be put right."
    ),
    "takes_start": _("If its records have one begin there, it becomes the order's start day."),
    "take_refused": _(
        "It is refused if a cancelled or deleted record is live there, or one that should be live is not."
    ),
    "fix_creates": ngettext_lazy(
        "%(n)d record that is live here and not there is sent again: it is billed from its old begin on.",
        "%(n)d records that are live here and not there are sent again: they are billed from their old begin on.",
        "n",
    ),
    "fix_cancels": ngettext_lazy(
        "%(n)d record that is cancelled here is cancelled there too.",
        "%(n)d records that are cancelled here are cancelled there too.",
        "n",
    ),
    "fix_sends": ngettext_lazy(
        "%(n)d record is sent again, so that its fields are as they are here.",
        "%(n)d records are sent again, so that their fields are as they are here.",
        "n",
    ),
    "fix_as_meant": ngettext_lazy(
        "%(n)d record is sent so that it is as the orders say.",
        "%(n)d records are sent so that they are as the orders say.",
        "n",
    ),
    "fix_deletes": ngettext_lazy(
        "%(n)d record that must not be there is deleted at the big-data side.",
        "%(n)d records that must not be there are deleted at the big-data side.",
        "n",
    ),
    "fix_leaves": _("Left as it is: %(name)s (%(why)s)"),
    "fix_again": _("What was accepted of its records before is put right too, and is accepted no more."),
    "fix_only": _("Once it has answered, only what still differs is put right."),
    "compares": _("Its records are compared with ours; nothing is sent. Differences are listed here."),
    "accepts": _("It is accepted and counts as fine; it stays listed, with your reason: %(what)s"),
    "takes_books": _("Our records become what the big-data side holds."),
    "stays_live": _("The order stays as it is: nothing is undone, and orders that wait for its trial go on."),
    # move_start
    "moves_records": ngettext_lazy(
        "%(n)d billing record is sent again with its new begin; until it is accepted the order stays on its old day.",
        "%(n)d billing records are sent again with their new begin; until they are accepted the order stays on its old "
        "day.",
        "n",
    ),
    "moves_from": _("The start day is %(old)s; it moves to the day that is named."),
    "trial_ends_on": _(
        "The trial ends on %(end)s: from the day after it until the new start day the customer has no service."
    ),
    "moves_day": _("The start day moves from %(old)s to %(new)s."),
    "moves_to_now": _("The start day was %(old)s; the order starts today, as soon as this is accepted."),
    "moves_without_call": _("Nothing of it is billed yet, so nothing is sent: the day moves at once."),
    "move_ends_by": _("If it can't be sent by %(until)s, it is called off, and an incident says so."),
    "move_ends_within": _("If it can't be sent within %(n)d minutes, it is called off, and an incident says so."),
    "no_service": _("From %(first)s to %(last)s the customer has no service: the trial ends before the new start."),
    "bpm_not_told": _("BPM is not told: tell the people there."),
    # move_end
    "end_stays": _("The trial keeps its moved end; records that have another one are differences then."),
    "end_is": _("The trial's last day is %(old)s; it becomes the day that is named."),
    "moves_end": _("The trial's last day becomes %(new)s instead of %(old)s."),
    "ends_sooner": _("The customer loses days of the trial: it ends on %(new)s, not on %(old)s."),
    "posts_ends": ngettext_lazy(
        "%(n)d live billing record is posted again with its new end; its begin stays.",
        "%(n)d live billing records are posted again with their new end; their begin stays.",
        "n",
    ),
    # attribute --move
    "moves_family": _("These orders get the attribution, and mails, limits and lists follow: %(orders)s"),
    "posts_records": ngettext_lazy(
        "%(n)d live billing record is sent again with the new province; its times stay.",
        "%(n)d live billing records are sent again with the new province; their times stay.",
        "n",
    ),
    # proceed, decide
    "proceeds_first": _("It goes on as the first activation of its trial."),
    "change_proceeds": _("It goes on, as its trial runs again."),
    "change_counts": _("It counts as applied. As long as its trial has ended, nothing is sent."),
    "proceeds_subsequent": _("%(number)s is first, so it goes on as a subsequent activation."),
    "cancels_what_is_live": _("Only the trial's live records are cancelled."),
    "pass_goes_on": _("A pass counts from now on: what waited for it goes on."),
    "pass_opens": _("A pass opens the order again: it is planned anew, as if it arrived now."),
    "reject_undoes": _("A reject stops the order and takes back what it sent:"),
    "reject_asks": _(
        "A reject opens an incident: the customer has been live for more than a day, so staff choose how it ends."
    ),
    "counts_later": _("It changes nothing now, and counts when the order is sent anew."),
}


def _difference(name: str, kind: str) -> str:
    what = gettext("%(what)s (%(detail)s)")
    return what % {"what": name, "detail": Difference.Kind(kind).label} if kind else name


@dataclass(frozen=True)
class PreviewSentence:
    """An effect of a staff action. `params`: the sentence's parameters. Among them, `step` is a step's code."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)

    def words(self) -> str:
        params = dict(self.params)
        if step := params.get("step"):
            params["step"] = str(Dispatch.Step(step).label)
        if "old" in params:
            params["old"] = params["old"] or gettext("no end")
        if "orders" in params:
            params["orders"] = gettext(", ").join(params["orders"])
        if state := params.get("state"):
            params["state"] = str(Order.State(state).label)
        if "names" in params:
            params["names"] = gettext(", ").join(_difference(name, kind) for name, kind in params["names"])
        if "what" in params:
            params["what"] = gettext(", ").join(str(what) for what in params["what"])
        return str(SENTENCES[self.code] % params)

    def english(self) -> str:
        """Returns the English sentence for terminals, followed by the step's code as in `show`."""
        with override("en"):
            text = self.words()
        return f"{text} ({step})" if (step := self.params.get("step")) else text
