"""Handing many orders, incidents or differences over to one person. Their services are those of one row."""

from collections import Counter
from typing import ClassVar

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.db.odd_values import is_id
from orders.history.owners import OWN
from orders.history.people import actor_of, name_of, person_words
from orders.lists.owners import PersonField
from orders.lists.reason import reason_field
from orders.mails.notices import notify_staff
from orders.models import Difference, Incident, Order, OrderEvent
from orders.office.bulk.base import BulkAct, Judged, ReasonForm, maker_of
from orders.office.bulk.models import BulkRun
from orders.people.mine import may_have_owner, set_owners
from orders.people.ownership import KINDS, set_owner
from orders.texts.errors import NotAllowedError
from orders.texts.incident_causes import title_of


class OwnerForm(ReasonForm):
    to = PersonField()
    reason = reason_field(autofocus=False, required=False)
    field_order = ["to", "reason"]


class HandOver(BulkAct):
    """Gives rows to one person, or to nobody. The end of the run tells them once, instead of a mail for each row."""

    permission, form = OWN, OwnerForm
    kind: ClassVar[str]

    def judge(self, ids, asked):
        found = self.model._base_manager.defer(*self.large).in_bulk(ids)
        rows = [found[pk] for pk in ids if pk in found]
        still = self.model._base_manager.filter(may_have_owner(self.model), pk__in=ids)
        open_ones = set(still.values_list("pk", flat=True))
        set_owners(rows)
        return [self._judged(row, row.pk in open_ones) for row in rows]

    def _judged(self, row, is_open: bool) -> Judged:
        if not is_open:
            return Judged(row, _("stay as they are: they need nobody any more"), row.get_state_display(), acts=False)
        if row.owned_by:
            had = _("was with %(name)s") % {"name": person_words(row.owned_by, timezone.localdate())}
            return Judged(row, _("get another owner, and are a colleague's or yours now"), had)
        return Judged(row, _("get an owner, and are nobody's now"), row.get_state_display())

    def carry_out(self, row, run, *, owner):
        to = _account(run.details.get("to", ""))
        set_owner(kind=self.kind, pk=row.pk, to=to, by=maker_of(run), now=timezone.now(), reason=run.reason, tell=False)

    def say_detail(self, field, value):
        """The person by name, though the account can't have anything any more."""
        if isinstance(field, PersonField) and value != "0":
            return person_words(int(value), timezone.localdate())
        return super().say_detail(field, value)

    @transaction.atomic
    def ended(self, run):
        """A run that goes on after a stop tells only what it did since."""
        to, maker, told = _account(run.details.get("to", "")), run.maker_id, run.details.get("told", {})
        who, now, path = actor_of(run.by, maker, run.created_at)[0], timezone.now(), reverse("admin:index")
        about, done = {"who": who, "reason": run.reason}, run.done - told.get("done", 0)
        events = dict(self._events(run).filter(pk__gt=told.get("event", 0)).values_list("pk", "data"))
        if to and to.pk != maker and done:
            notify_staff([to], "notice_owner_all", facts={**about, "count": done, "from": ""}, path=path, now=now)
        for pk, number in Counter(data["before_id"] for data in events.values() if "before_id" in data).items():
            if pk != maker and not (to and pk == to.pk):
                what = ngettext("%(n)d thing", "%(n)d things", number) % {"n": number}
                facts = {**about, "what": what, "about": what, "owner": name_of(to.username, to.pk) if to else ""}
                people = get_user_model().objects.filter(pk=pk)
                notify_staff(people, "notice_owner_gone", facts=facts, path=path, now=now)
        told = {"done": run.done, "event": max(events, default=told.get("event", 0))}
        BulkRun.objects.filter(pk=run.pk).update(details=run.details | {"told": told})

    def _events(self, run: BulkRun) -> QuerySet[OrderEvent]:
        kinds = KINDS[self.kind].events.values()
        return OrderEvent.objects.filter(actor=run.by, at__gte=run.created_at, kind__in=kinds, data__run=run.pk)


class HandOverOrders(HandOver):
    key, model, kind = "own_orders", Order, "order"


class HandOverIncidents(HandOver):
    key, model, kind, large = "own_incidents", Incident, "incident", ()

    def name_of(self, row):
        return title_of(row.code, row.words)


class HandOverDifferences(HandOver):
    key, model, kind, large = "own_differences", Difference, "difference", ("detail",)

    def name_of(self, row):
        return f"{row.job_id} · {row.get_kind_display()}"


def _account(chosen: str):
    """The account of a form's choice; None for nobody. Raises NotAllowedError if it is gone."""
    if chosen == "0":
        return None
    found = get_user_model().objects.filter(pk=chosen).first() if is_id(chosen) else None
    if found is None:
        raise NotAllowedError("owner_unknown", name=chosen)
    return found


HAND_OVER = (HandOverOrders(), HandOverIncidents(), HandOverDifferences())
