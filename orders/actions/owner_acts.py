"""Bulk actions on owners: take incidents, or hand orders, incidents or differences over to one person."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.actions.action import Action
from orders.actions.bulk_action import Bulk, BulkForm, Judged, each
from orders.db.unstorable_values import is_id
from orders.history.actors import actor_kept, actor_of, name_of, person_words
from orders.history.owners import OWN
from orders.lists.owner_column import PersonField
from orders.lists.reason import reason_field
from orders.mails.notices import notify_staff
from orders.models import Incident, OrderEvent
from orders.models.querysets import UNRESOLVED
from orders.people.owned_work import may_have_owner, set_owners
from orders.people.ownership import OWNED_KINDS, Kind, set_owner, tell_inboxes
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import title_of


class OptionalNoteForm(BulkForm):
    reason = reason_field(gettext_lazy("Note"), autofocus=False, required=False)


def _judge_incident(row: Incident) -> Judged:
    if row.state not in UNRESOLVED:
        return Judged(row, _("stay as they are: over or ignored"), row.get_state_display(), acts=False)
    if row.state == Incident.State.ACKNOWLEDGED:
        return Judged(row, _("are yours now, and were a colleague's or yours before"), row.get_state_display())
    return Judged(row, _("are yours now"), row.get_state_display())


def _title(row: Incident) -> str:
    return str(title_of(row.code, row.words))


TAKE_INCIDENTS = Action(
    key="incidents",
    label=gettext_lazy("Take incidents up"),
    permission="orders.change_incident",
    service=set_owner,
    bulk=Bulk(
        model=Incident,
        form=OptionalNoteForm,
        judge=each(_judge_incident),
        name_of=_title,
        given=lambda row, run, owner: {
            "kind": "incident",
            "pk": row.pk,
            "to": get_user_model().objects.get(pk=owner),
            "tell": False,
        },
        ended=lambda run: _tell(OWNED_KINDS["incident"], run),
        large=(),
    ),
)


class OwnerForm(BulkForm):
    to = PersonField(help_text=gettext_lazy("Rows that this person may not see stay as they are."))
    reason = reason_field(autofocus=False, required=False)
    field_order = ["to", "reason"]

    @staticmethod
    def said(field, value):
        """Returns the person's name, even if the account can no longer be an owner."""
        if isinstance(field, PersonField) and value != "0":
            return person_words(int(value), timezone.localdate())
        return BulkForm.said(field, value)


def _judge_one(row: Any, is_open: bool) -> Judged:
    if not is_open:
        return Judged(row, _("stay as they are: they need nobody any more"), row.get_state_display(), acts=False)
    if row.owned_by:
        had = _("was with %(name)s") % {"name": person_words(row.owned_by, timezone.localdate())}
        return Judged(row, _("get another owner, and are a colleague's or yours now"), had)
    return Judged(row, _("get an owner, and are nobody's now"), row.get_state_display())


def _account(chosen: str):
    """Returns the chosen account, or None for nobody. Raises NotAllowedError if the account no longer exists."""
    if chosen == "0":
        return None
    found = get_user_model().objects.filter(pk=chosen).first() if is_id(chosen) else None
    if found is None:
        raise NotAllowedError("owner_unknown", name=chosen)
    return found


@transaction.atomic
def _tell(kind: Kind, run: Any) -> None:
    """Sends each person one mail and one message for all rows. If a run was stopped and continued, they cover only the
    rows since the stop. If no person was chosen, the maker of the run takes the rows."""
    maker, told = run.maker_id, run.details.get("told", {})
    to = _account(str(run.details.get("to", maker or 0)))
    who, now, path = actor_of(run.by, maker, run.created_at)[0], timezone.now(), reverse("admin:index")
    about = {"who": who, "reason": run.reason}
    made = OrderEvent.objects.filter(actor=run.by, at__gte=run.created_at, kind__in=kind.events.values())
    events = made.filter(data__run=run.pk, pk__gt=told.get("event", 0)).order_by("pk").in_bulk()
    given = sum("owner_id" in event.data for event in events.values())
    if to and to.pk != maker and given:
        notify_staff([to], "notice_owner_all", facts={**about, "count": given, "from": ""}, path=path, now=now)
    for pk, number in Counter(one.data["before_id"] for one in events.values() if "before_id" in one.data).items():
        if pk != maker and not (to and pk == to.pk):
            what = ngettext("%(n)d thing", "%(n)d things", number) % {"n": number}
            facts = {**about, "what": what, "about": what, "owner": name_of(to.username, to.pk) if to else ""}
            people = get_user_model().objects.filter(pk=pk)
            notify_staff(people, "notice_owner_gone", facts=facts, path=path, now=now)
    reason = {"reason": run.reason} if run.reason else {}
    tell_inboxes(kind, events.values(), by=actor_kept(run.by, maker), now=now, run=run.pk, **reason)
    # 1.10.0, which may continue the run after a rollback, reads `done`
    run.details |= {"told": {"done": run.done, "event": max(events, default=told.get("event", 0))}}
    run.save(update_fields=["details"])


def _hand_over(kind: Kind, **bulk: Any) -> Action:
    """Returns the action that sets the owner of rows to one person, or to nobody."""

    def judge(rows: Sequence[Any], asked: dict) -> list[Judged]:
        still = kind.model._base_manager.filter(may_have_owner(kind.model), pk__in=[row.pk for row in rows])
        open_ones = set(still.values_list("pk", flat=True))
        set_owners(rows)
        return [_judge_one(row, row.pk in open_ones) for row in rows]

    def given(row: Any, run: Any, owner: int) -> dict[str, Any]:
        return {"kind": kind.key, "pk": row.pk, "to": _account(run.details.get("to", "")), "tell": False}

    own = {"form": OwnerForm, "judge": judge, "given": given, "ended": partial(_tell, kind)}
    many = Bulk(model=kind.model, **own, **bulk)
    key, label = f"own_{kind.key}s", gettext_lazy("Hand over")
    return Action(key=key, label=label, permission=OWN, service=set_owner, bulk=many)


HAND_OVER = (
    _hand_over(OWNED_KINDS["order"]),
    _hand_over(OWNED_KINDS["incident"], name_of=_title, large=()),
    _hand_over(
        OWNED_KINDS["difference"], name_of=lambda row: f"{row.job_id} · {row.get_kind_display()}", large=("detail",)
    ),
)
