"""A decision that waits for a second person, as shown on the confirmation page."""

import datetime
from dataclasses import dataclass, field

from django.db.models import Subquery
from django.urls import reverse
from django.utils.translation import get_language

from notifications.mail_rendering import LANGUAGE
from orders.actions.action import LOOKED_AT, Action
from orders.actions.all_actions import DECISIONS, label_of
from orders.actions.run_action import arguments_of, build_preview, confirm_second, digest_of
from orders.models import AskedAct, OrderEvent
from orders.order_words.history import NOT_NEWS, Told, describe
from orders.order_words.order_facts import facts_of, last_event
from orders.texts.errors import NotAllowedError, OrderError

MAX_NEWS = 20
OWN = ["act_asked", "act_confirmed", "act_called_off", "act_lapsed"]


@dataclass(frozen=True)
class EffectsPreview:
    """The present effects of a decision, in the reader's language. `told`: the digest of the effects, which the
    confirmation form sends back.

    `before`: the effects at the time of the request, if they were different. `news`: the order's events since the
    request.
    """

    will: list[str] = field(default_factory=list)
    told: str = ""
    last_event_id: int = 0
    before: list[str] = field(default_factory=list)
    news: list[Told] = field(default_factory=list)
    why_not: str = ""


class AskedDecision:
    def __init__(self, row: AskedAct):
        self.row, self.order = row, row.order
        self.act: Action | None = DECISIONS.get(row.decision)  # None if another version asked for it
        self.label, self.danger = label_of(row), self.act is not None and self.act.danger
        self.name = self.order.number
        self.address = reverse("admin:orders_order_change", args=[self.order.pk])

    @property
    def details(self) -> list[tuple[str, str]]:
        """Returns labels and display texts of the form's values except the reason."""
        if self.act is None:
            return []
        form, found = self.act.form(order=self.order), []
        for name, value in self.row.arguments.items():
            known = form.fields.get(name) or form.base_fields.get(name)
            if value:
                found.append(
                    (str(known.label if known else LOOKED_AT if name == "look" else name), form.said(name, str(value)))
                )
        return found

    def preview_effects(self, *, now: datetime.datetime) -> EffectsPreview:
        if self.act is None:
            return EffectsPreview(why_not=NotAllowedError("ask_over").words())
        last_event_id, news = last_event(self.order), self._news()
        facts = facts_of(self.order, now=now)
        try:
            if why := self.act.why_not(facts):
                raise why
            asked = arguments_of(self.row, self.act)
            preview = build_preview(self.act, facts, asked)
            will = preview if get_language() == LANGUAGE else [str(one) for one in self.act.will(facts, **asked)]
        except OrderError as error:
            return EffectsPreview(last_event_id=last_event_id, news=news, why_not=error.words())
        before = self.row.told if self.row.told != preview else []
        return EffectsPreview(will=will, told=digest_of(preview), last_event_id=last_event_id, before=before, news=news)

    def _news(self) -> list[Told]:
        events = OrderEvent.objects.filter(order=self.order)
        rows = events.filter(pk__gt=Subquery(events.filter(kind=OWN[0], data__asked=self.row.pk).values("pk")[:1]))
        return [describe(row) for row in rows.exclude(kind__in=[*NOT_NEWS, *OWN]).order_by("pk")[:MAX_NEWS]]

    def confirm(self, *, judge, last_event_id: int, told: str, now: datetime.datetime) -> str:
        return confirm_second(self.row, judge=judge, last_event_id=last_event_id, digest=told, now=now)
