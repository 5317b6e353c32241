"""Staff actions on steps: resend failed steps, give a step up, fetch a trial's traffic."""

import datetime
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import action_previews
from orders.actions.action import Action, StepForm
from orders.actions.bulk_action import Bulk, Judged, asked_of
from orders.history.order_locks_and_events import lock_order
from orders.models import Dispatch, Order
from orders.order_words.ladder.step_stages import Facts
from orders.pauses.breaker_incidents import partners_down
from orders.replanning.giving_up import give_up, steps_to_give_up, why_not_give_up
from orders.replanning.reopening import claims_against, why_not_open
from orders.rules.local_time import midnight
from orders.rules.steps import OF_COMPARISONS, Partner, Phase, Step, channels_of
from orders.sending.reread_answers import ends_by_reading
from orders.sending.resend import (
    Judgement,
    Selection,
    is_left,
    is_left_to_people,
    judge_order,
    judge_selection,
    resend,
    resend_order,
)
from orders.sending.trial_traffic import ask_for_usage, why_not_ask
from orders.start_day.move_start import may_send_again
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError

FIRST_DAY = datetime.date(2000, 1, 1)  # older than all data; the year 1 would fail in some time zones
VERDICTS = {
    "same": gettext_lazy("will be sent again: the same bytes under the same key"),
    "new": gettext_lazy("will be sent again as a new call, under a new key"),
    "again": gettext_lazy("The whole order is planned anew, as if it arrived now, and takes its trial's claim again"),
    "repeat": gettext_lazy("was accepted already, and is sent once more"),
    "left_out": gettext_lazy("was compensated; it is opened on its own page only"),
    "blocked": gettext_lazy("is queued; it goes out when the partner is back"),
    "paused": gettext_lazy("is queued; it goes out when the partner's pause ends"),
    "accepted": gettext_lazy("was accepted already"),
    "refused": gettext_lazy("can't be sent now"),
}


def _why_not_sent(facts: Facts) -> NotAllowedError | None:
    """Returns the reason why a resend would send nothing. Queries the database only for an undone activation, which a
    resend would plan again."""
    order = facts.order
    sent = [row for row in facts.steps if _is_sent(row, order, facts.now)]
    left = any(row.undo and is_left(row) for row in facts.steps)
    if (sent or facts.mails) and (left or not _is_undone(order)) and order.held_because != Order.Held.FILES:
        return None
    if why := why_not_resend(order):
        return why
    if _is_undone(order):
        return why_not_open(order, claims_against([order]))
    return NotAllowedError("resend_nothing_failed")


def _is_sent(row: Dispatch, order: Order, now: datetime.datetime) -> bool:
    counts = order.undo_since is None or row.undo or row.position >= Phase.AFTER
    failed = row.state == Dispatch.State.FAILED and row.step not in OF_COMPARISONS
    failed &= row.step != Step.MOVE_START or may_send_again(row, order, now)
    failed &= not is_left_to_people(row) or ends_by_reading(row)
    return counts and not row.repeat and (failed or row.state == Dispatch.State.RETRYING or is_left(row))


def why_not_resend(order: Order) -> NotAllowedError | None:
    """Returns the reason why the order's state rules out a resend on a page, or None. The page is stricter than
    `resend`: it offers none for orders held for their files. Of undone orders, only failed activations can be
    resent."""
    if order.state == Order.State.WITHDRAWN:
        return NotAllowedError("resend_withdrawn")
    if _is_undone(order):
        again = order.state == Order.State.FAILED and order.kind == Order.Kind.ACTIVATION
        return None if again else NotAllowedError("resend_taken_back")
    if order.held_because == Order.Held.FILES:
        return NotAllowedError("resend_held_for_files")
    return None


def _is_undone(order: Order) -> bool:
    return order.undo_since is not None and order.state != Order.State.COMPENSATING


def _resend(*, number: str, **how) -> None:
    report = resend(_failed_of(number), **how)
    if not any(row.sends for row in report.judgements):
        raise NotAllowedError("resend_declined", lines=" ".join(map(say_judgement, report.judgements)))


def _failed_of(number: str) -> Selection:
    return Selection(numbers=(number,), failed=True)


def say_judgement(row: Judgement) -> str:
    word = str(VERDICTS[row.verdict])
    if row.verdict == "again":
        passed = row.decision == Order.Decision.PASS
        return f"{word}{_(', ')}{_('and the pass that BPM gave counts')}" if passed else word
    if row.refusal:
        return row.refusal.words()
    step = Step(row.step).label if row.step in Step.values else _("The order")
    return f"{step}: {word}"


class StepsForm(forms.Form):
    """Form that filters failed steps. Its values are in the URL, so that a colleague can open the same page."""

    partner = forms.ChoiceField(
        label=gettext_lazy("partner"), required=False, choices=[("", gettext_lazy("all")), *Partner.choices]
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("channel"), required=False, choices=[("", gettext_lazy("all")), *Dispatch.Channel.choices]
    )
    code = forms.CharField(label=gettext_lazy("error code"), required=False, max_length=32)
    since = forms.DateField(
        label=gettext_lazy("made since"),
        required=False,
        validators=[MinValueValidator(FIRST_DAY)],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


def _with_failed_steps(rows: QuerySet, asked: dict) -> QuerySet:
    steps = Dispatch.objects.current().filter(state=Dispatch.State.FAILED)
    if channel := asked.get("channel"):
        steps = steps.filter(channel=channel)
    if partner := asked.get("partner"):
        steps = steps.filter(channel__in=channels_of(partner))
    if code := asked.get("code"):
        steps = steps.filter(error_code=code)
    if since := asked.get("since"):
        steps = steps.filter(created_at__gte=midnight(since))
    return rows.filter(pk__in=steps.values("order_id")).exclude(state=Order.State.WITHDRAWN)


def _judge_many(rows: Sequence[Order], asked: dict) -> list[Judged]:
    steps: dict[str, list[Judgement]] = {row.number: [] for row in rows if not why_not_resend(row)}
    if steps:
        for one in judge_selection(_steps_meant(tuple(steps), asked), open_partners=partners_down()):
            steps[one.order].append(one)
    return [_judged(row, steps) for row in rows]


def _judged(row: Order, steps: dict[str, list[Judgement]]) -> Judged:
    """Returns the order's dry run. `kind` is the verdict on the first step that would be sent or, if there is none, on
    the first step."""
    if why := why_not_resend(row):
        return Judged(row, why.words(), why.words(), acts=False)
    judged = steps[row.number]
    first = next((one for one in judged if one.sends), judged[0])
    return Judged(row, VERDICTS[first.verdict], " ".join(map(say_judgement, judged)), first.sends)


def _resend_one_of_many(*, number: str, asked: dict, **about: Any) -> None:
    if why := why_not_resend(lock_order(number)):
        raise why
    judged = resend_order(number, _steps_meant((number,), asked), open_partners=partners_down(), **about)
    if not any(one.sends for one in judged):
        raise _why_nothing_was_sent(judged)


def _steps_meant(numbers: tuple[str, ...], asked: dict) -> Selection:
    filters = {key: asked.get(key) or "" for key in ("channel", "partner", "code")}
    return Selection(numbers=numbers, filtered=True, failed=True, since=asked.get("since"), **filters)


def _why_nothing_was_sent(judged: list[Judgement]) -> NotAllowedError:
    """Returns an error with the verdicts on the steps. Their texts are made later, in the reader's language."""
    [first, *_others] = judged
    if first.refusal:
        return first.refusal
    if first.step == "-":
        return NotAllowedError("resend_nothing_failed")
    return NotAllowedError("bulk_not_sent", judged=[[one.step, one.verdict] for one in judged])


def _say_why(why: dict) -> str:
    if "judged" not in why:
        return say_why(why)
    return " ".join(say_judgement(Judgement("", step, verdict)) for step, verdict in why["judged"])


RESEND = Action(
    key="resend",
    label=gettext_lazy("Resend"),
    permission="orders.resend_order",
    done=gettext_lazy("Queued again. The result shows here within seconds."),
    why_not=_why_not_sent,
    says=lambda facts: [
        say_judgement(row) for row in judge_order(facts.order, _failed_of(facts.order.number), open_partners=facts.shut)
    ],
    given=lambda facts: {"number": facts.order.number, "open_partners": facts.shut},
    service=_resend,
    bulk=Bulk(
        model=Order,
        chooser=StepsForm,
        narrow=_with_failed_steps,
        judge=_judge_many,
        service=_resend_one_of_many,
        given=lambda row, run, owner: {"number": row.number, "asked": asked_of(run)},
        say_why=_say_why,
    ),
)


class GiveUpForm(StepForm):
    def rows(self):
        try:
            return steps_to_give_up(self.order)
        except NotAllowedError:
            return []


GIVE_UP = Action(
    key="give_up",
    label=gettext_lazy("Give the step up"),
    permission="orders.give_up_step",
    four_eyes="give_up",
    done=gettext_lazy("Given up. What waited behind it goes on."),
    danger=True,
    form=GiveUpForm,
    why_not=lambda facts: why_not_give_up(facts.order, facts.steps),
    preview_effects=action_previews.give_up,
    service=give_up,
)


def _why_not_usage(facts: Facts) -> NotAllowedError | None:
    if why := why_not_ask(facts.order):
        return why
    asked = facts.order.dispatches.open().filter(step=Step.FETCH_USAGE).exists()
    return NotAllowedError("usage_asked") if asked else None


def _ask_for_usage(*, number: str, **about) -> None:
    if not ask_for_usage(numbers=[number], **about):
        raise NotAllowedError("usage_asked")


USAGE = Action(
    key="usage",
    label=gettext_lazy("Fetch trial traffic"),
    permission="orders.fetch_usage",
    done=gettext_lazy("Asked. The answer shows under trial traffic."),
    why_not=_why_not_usage,
    follows=gettext_lazy("The big-data side is asked for this trial's traffic; it holds up nothing."),
    service=_ask_for_usage,
)
