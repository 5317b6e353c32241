"""Lost and pending calls after a restore. Lost calls are not sent again by anybody, and pending calls would be sent by
`restored` (contract 3.9, 17)."""

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import Mail
from orders.models import Dispatch, Order
from orders.models.dispatch import OPEN_STATES
from orders.restore.manual_trial_numbers import EnteredNumber, read_numbers
from orders.rules.steps import FIXES, Channel, Step, named

SAMPLE = 8
BATCH_SIZE = 500  # numbers per query
DERIVED_KEYS = named(derived_key=True)


@dataclass(frozen=True)
class Kind:
    label: str | Promise
    will: str | Promise
    steps: Q | None


LOST_KINDS = [
    Kind(
        _("Processes in BPM that are not confirmed here"),
        _("Nothing by itself: BPM may have the process already. Each goes out only when a person resends the order."),
        Q(step=Step.START_BPM, state__in=[*OPEN_STATES, Dispatch.State.WAITING]),
    ),
    Kind(
        _("Billing steps that were attempted before"),
        _("Not sent: the big-data side is asked. If it holds what we meant, the step is done; else it stops for you."),
        Q(channel=Channel.BILLING, state__in=OPEN_STATES, frozen_at__isnull=False) & ~Q(step__in=FIXES),
    ),
    Kind(
        _("Billing records to make or cancel, never attempted here"),
        _("Sent under the key of the lost period. A partner that has done it before says so, and is asked."),
        Q(channel=Channel.BILLING, state__in=OPEN_STATES, frozen_at=None, step__in=DERIVED_KEYS),
    ),
    Kind(
        _("Billing records to delete or restore, never attempted here"),
        _("Sent, even if that was done before. Withdraw or take the order first if it should not be."),
        Q(channel=Channel.BILLING, state__in=OPEN_STATES, frozen_at=None) & ~Q(step__in=[*DERIVED_KEYS, *FIXES]),
    ),
    Kind(
        _("Corrections that a comparison had queued"),
        _("Closed unsent: it fitted the books of that time. Compare anew."),
        Q(step__in=FIXES, state__in=OPEN_STATES),
    ),
    Kind(_("Mails"), _("Sent, even those that people have already got."), None),
]


def rows_of_kind(kind: Kind) -> QuerySet[Dispatch] | QuerySet[Mail]:
    """Returns the steps, or the mails about orders."""
    if kind.steps is None:
        return Mail.objects.open().filter(order__isnull=False).order_by("pk").select_related("order").defer("body")
    return Dispatch.objects.current().filter(kind.steps).order_by("pk").select_related("order").defer("payload")


@dataclass(frozen=True)
class LostEntries:
    """Manually entered trials that are missing in this database, the newest first.

    `error`: the reason why these trials can't be determined.
    """

    rows: list[EnteredNumber] = field(default_factory=list)
    error: str = ""


def lost_entries() -> LostEntries:
    """Compares the file of numbers with our orders. Includes numbers whose transaction was never committed."""
    try:
        entered = {one.number: one for one in reversed(read_numbers())}
    except OSError as error:
        return LostEntries(error=str(error))
    numbers, known = list(entered), set()
    for start in range(0, len(numbers), BATCH_SIZE):
        some = Order.objects.filter(number__in=numbers[start : start + BATCH_SIZE])
        known.update(some.values_list("number", flat=True))
    return LostEntries([one for number, one in entered.items() if number not in known])
