"""The recipients of a mail, sent or still to come, and the reasons: the rule, their role, and substitutions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.contacts_and_recipients import Choice, choose, chosen_as
from notifications.mail_rendering import recipients_in_words
from notifications.models import Mail, MailRule
from orders.mails.mail_creation import ACCEPTED, KINDS_OF_DONE_STEPS
from orders.models import Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.rules.steps import Step

EVENTS: dict[str, str | Promise] = {step.value: step.label for step in Dispatch.Step if step.value.startswith("mail_")}
"""The kinds of mails as scopes of rules, with their labels."""
ALL = "·"
PERSONAL = gettext_lazy("what it is about: it is for this person alone")


@dataclass(frozen=True)
class MailRecipient:
    """A recipient. `address` includes the delivery result if it differs between recipients; `why` may be empty."""

    name: str
    address: str
    why: str


@dataclass(frozen=True)
class Reasons:
    """The recipients of a mail. `rule`: the text of the rule that chose them; `off`: it sends the mail to nobody.

    `known`: the reasons were stored, which mails of old versions lack.
    """

    people: list[MailRecipient]
    rule: str = ""
    off: bool = False
    known: bool = True


@dataclass(frozen=True)
class Upcoming:
    """A mail without a text yet (`row`), or one that a step of the order will cause.

    Its recipients are determined at its first attempt.
    """

    kind: str
    title: str | Promise
    reasons: Reasons
    row: Mail | None = None


def reasons_of(mail: Mail) -> Reasons:
    """Returns the recipients of a written mail, or those it would have now if it has no text yet."""
    if not mail.body and mail.order is not None:
        return reasons_now(choose_for(mail.order, mail.kind))
    addresses = recipients_in_words(mail, str)
    if mail.chosen is None:
        people, personal = [MailRecipient("", address, "") for address in addresses], mail.addressee != ""
        return Reasons(people, str(PERSONAL) if personal else "", known=personal)
    found = _reasons(mail.chosen, addresses)
    return replace(found, rule=str(PERSONAL)) if mail.addressee else found


def reasons_now(choice: Choice) -> Reasons:
    kept = choice.kept()
    return _reasons(kept, [one["mail"] for one in kept["people"]])


def _reasons(kept: Mapping, addresses: list[str]) -> Reasons:
    people = [
        MailRecipient(one["userName"], address, chosen_as(one["how"], one["of"], one["instead"]))
        for one, address in zip(kept["people"], addresses, strict=False)
    ]
    return Reasons(people, _rule(kept), kept["off"])


def _rule(kept: Mapping) -> str:
    if kept["rule"] is None:
        return _("usual recipients: SA contacts and copies")
    return _("rule %(number)s: %(scope)s") % {"number": kept["rule"], "scope": scope_words(*kept["scope"])}


def scope_words(place: str, event: str, order_kind: str) -> str:
    """Returns the text of a rule's scope. Empty parts mean all."""
    kinds = dict(Order.Kind.choices)
    parts = (
        place or _("all attributions"),
        str(EVENTS.get(event, event)) if event else _("all events"),
        str(kinds.get(order_kind, order_kind)) if order_kind else _("all kinds of orders"),
    )
    return f" {ALL} ".join(parts)


def rule_words(rule: MailRule) -> str:
    return scope_words(str(rule.attribution or ""), rule.event, rule.order_kind)


def choose_for(order: Order, event: str) -> Choice:
    """Returns who would get such a mail about the order now."""
    if event == Dispatch.Step.MAIL_RECONCILED:  # not about an order
        return choose("", event)
    return choose(order.attribution_id or "", event, order.kind)


def upcoming_mails(order: Order) -> list[Upcoming]:
    """Returns the order's mails without a text, then those that its steps will cause, with their present recipients."""
    written = list(
        order.mails.filter(Q(body="") | Q(kind__in=KINDS_OF_DONE_STEPS)).select_related("order__attribution")
    )
    found = [
        Upcoming(row.kind, EVENTS.get(row.kind, row.kind), reasons_of(row), row)
        for row in written
        if not row.body and row.state != Mail.State.CLOSED
    ]
    if order.undo_since is not None:
        return found
    there = {row.kind for row in written}
    ahead = order.dispatches.current().filter(state__in=[Dispatch.State.WAITING, *OPEN_STATES], repeat=False)
    steps = ahead.filter(step__in=ACCEPTED).order_by("position", "pk").values_list("step", flat=True)
    kinds = [ACCEPTED[step][0] for step in steps if step == Step.START_BPM or order.first is False]
    for kind in dict.fromkeys(kinds):
        if kind not in there:
            found.append(Upcoming(kind, EVENTS[kind], reasons_now(choose_for(order, kind))))
    return found
