"""Actions on many rows at once: one class for each, with its form, its preview and its service. Handing over has a file
of its own."""

import datetime
from collections import Counter
from collections.abc import Iterable

from django import forms
from django.contrib.auth import get_user_model
from django.core.validators import MinValueValidator
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.holds import AttributionField
from orders.actions.sending import VERDICTS, say_judgement, why_not_resend
from orders.history.order_writes import lock_order
from orders.intake.holds import choose_attribution, why_not_attribute
from orders.lists.reason import reason_field
from orders.models import Conflict, Dispatch, Incident, Order
from orders.models.querysets import UNRESOLVED
from orders.office.bulk.base import BulkAct, Judged, ReasonForm, asked_of, maker_of
from orders.office.bulk.handing_over import HAND_OVER
from orders.pauses.breakers import partners_down
from orders.people.ownership import set_owner
from orders.people.staff_events import add_note, see_conflict
from orders.rules.four_eyes import is_asked
from orders.rules.local_time import midnight
from orders.rules.steps import Partner, channels_of
from orders.sending.resend import Judgement, Selection, judge_selection, resend_order
from orders.texts.errors import NotAllowedError
from orders.texts.incident_causes import title_of

FIRST_DAY = datetime.date(2000, 1, 1)  # older than all data; the year 1 would fail in some time zones


class NoteForm(ReasonForm):
    reason = reason_field(gettext_lazy("Note"), autofocus=False)


class OptionalNoteForm(ReasonForm):
    reason = reason_field(gettext_lazy("Note"), autofocus=False, required=False)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class StepsForm(forms.Form):
    """Selects failed steps. Its values are in the URL, so that a colleague can open the same page."""

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


class Resend(BulkAct):
    key, model, permission, chooser = "resend", Order, "orders.resend_order", StepsForm

    def narrow(self, rows, asked):
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

    def judge(self, ids, asked):
        found = Order.objects.defer("content").in_bulk(ids)
        open_ones = [row for row in found.values() if not why_not_resend(row)]
        steps: dict[str, list[Judgement]] = {row.number: [] for row in open_ones}
        if open_ones:
            for one in judge_selection(_steps_meant(tuple(steps), asked), open_partners=partners_down()):
                steps[one.order].append(one)
        return [self._judged(found[pk], steps) for pk in ids if pk in found]

    def _judged(self, row: Order, steps: dict[str, list[Judgement]]) -> Judged:
        """The order's kind is that of its first step that would be sent, or of its first step if none would be."""
        if why := why_not_resend(row):
            return Judged(row, why.words(), why.words(), acts=False)
        judged = steps[row.number]
        first = next((one for one in judged if one.sends), judged[0])
        return Judged(row, VERDICTS[first.verdict], " ".join(map(say_judgement, judged)), first.sends)

    def carry_out(self, row, run, *, owner):
        order = lock_order(row.number)
        if why := why_not_resend(order):
            raise why
        judged = resend_order(
            row.number,
            _steps_meant((row.number,), asked_of(run)),
            by=maker_of(run),
            reason=run.reason,
            now=timezone.now(),
            open_partners=partners_down(),
        )
        if not any(one.sends for one in judged):
            raise _why_not_sent(judged)

    def say_why(self, why):
        if "judged" not in why:
            return super().say_why(why)
        return " ".join(say_judgement(Judgement("", step, verdict)) for step, verdict in why["judged"])


def _steps_meant(numbers: tuple[str, ...], asked: dict) -> Selection:
    filters = {key: asked.get(key) or "" for key in ("channel", "partner", "code")}
    return Selection(numbers=numbers, filtered=True, failed=True, since=asked.get("since"), **filters)


def _why_not_sent(judged: list[Judgement]) -> NotAllowedError:
    """Stores verdicts, not texts: these are made in the language of the reader."""
    [first, *_others] = judged
    if first.refusal:
        return first.refusal
    if first.step == "-":
        return NotAllowedError("resend_nothing_failed")
    return NotAllowedError("bulk_not_sent", judged=[[one.step, one.verdict] for one in judged])


class Attribute(BulkAct):
    key, model, permission, form = "attribute", Order, "orders.choose_attribution", AttributionForm

    def judge_one(self, row):
        if is_asked("attribute"):
            said = _("stay as they are: a second person must confirm each, on its own page")
            return Judged(row, said, row.get_state_display(), acts=False)
        if why := why_not_attribute(row):
            return Judged(row, _("stay as they are: not held for their attribution"), why.words(), acts=False)
        return Judged(row, _("get the attribution and go on"), _("gets the attribution and goes on"))

    def carry_out(self, row, run, *, owner):
        choose_attribution(
            number=row.number, letters=run.details["letters"], reason=run.reason, by=maker_of(run), now=timezone.now()
        )


class Note(BulkAct):
    key, model, permission, form = "note", Order, "orders.add_note", NoteForm

    def judge_one(self, row):
        return Judged(row, _("get the note, which stays for good"), row.get_state_display())

    def carry_out(self, row, run, *, owner):
        add_note(number=row.number, reason=run.reason, by=maker_of(run), now=timezone.now(), tell=False)


class SeeConflicts(BulkAct):
    key, model, permission, large = "conflicts", Conflict, "orders.change_incident", ("body", "hint")

    def judge(self, ids, asked):
        judged = super().judge(ids, asked)
        numbers = {one.row.order_number for one in judged}
        known = set(Order.objects.filter(number__in=numbers).values_list("number", flat=True))
        unknown = _("stay as they are: no order has their number")
        return [
            one if one.row.order_number in known else Judged(one.row, unknown, one.words, acts=False) for one in judged
        ]

    def judge_one(self, row):
        at = f"{timezone.localtime(row.received_at):%Y-%m-%d %H:%M:%S}"
        if row.seen_id:
            return Judged(row, _("have been seen to already"), at, acts=False)
        return Judged(row, _("are noted as seen to, with your reason"), at)

    def name_of(self, row):
        return row.order_number

    def carry_out(self, row, run, *, owner):
        see_conflict(row, reason=run.reason, by=maker_of(run), now=timezone.now())


class TakeIncidents(BulkAct):
    key, model, permission, form = "incidents", Incident, "orders.change_incident", OptionalNoteForm
    large = ()

    def judge_one(self, row):
        if row.state not in UNRESOLVED:
            return Judged(row, _("stay as they are: over or ignored"), row.get_state_display(), acts=False)
        if row.state == Incident.State.ACKNOWLEDGED:
            return Judged(row, _("are yours now, and were a colleague's or yours before"), row.get_state_display())
        return Judged(row, _("are yours now"), row.get_state_display())

    def name_of(self, row):
        return title_of(row.code, row.words)

    def carry_out(self, row, run, *, owner):
        to, by, now = get_user_model().objects.get(pk=owner), maker_of(run), timezone.now()
        set_owner(kind="incident", pk=row.pk, to=to, by=by, now=now, reason=run.reason)


ALL = (Resend(), Attribute(), Note(), SeeConflicts(), TakeIncidents(), *HAND_OVER)
ACTS: dict[str, BulkAct] = {act.key: act for act in ALL}
"""By key, as in `BulkRun.act` and in URLs."""


def acts_on(model: type[Model], user) -> list[BulkAct]:
    return [act for act in ACTS.values() if act.model is model and act.is_allowed(user)]


def address_of(row: Model) -> str:
    return reverse(f"admin:orders_{row._meta.model_name}_change", args=[row.pk])


def count_kinds(judged: Iterable[Judged]) -> list[tuple[str | Promise, int]]:
    return Counter(row.kind for row in judged).most_common()
