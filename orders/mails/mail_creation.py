"""Writes mails in the transaction of their cause, once per cause (contract 3.12). Only this module creates mails.

A mail about an order or a comparison gets its recipients and text at its first attempt (mail_claim_and_record.py). A
mail to staff gets them when it is created.
"""

import datetime
import uuid
from collections.abc import Iterable, Mapping

from django.db.models import Exists, OuterRef

from notifications.mail_rendering import render_notice
from notifications.models import Mail
from orders.db.compiled_sql import insert_missing
from orders.models import Dispatch, Order
from orders.outbox.enqueue import wake
from orders.rules.steps import Step

LONGEST_CAUSE = 64
LATELY = datetime.timedelta(hours=2)  # sweeps may not have run for a while
ACCEPTED = {Step.START_BPM: (Step.MAIL_SENT, "bpm"), Step.CREATE_BILLING: (Step.MAIL_BILLED, "billing")}
"""Steps that cause a mail when they are done, with the mail's kind and cause."""
TO_CONTACTS = frozenset({"notice_push"})
"""Kinds sent to contacts, who need no account."""
KINDS_OF_DONE_STEPS = [kind for kind, _cause in ACCEPTED.values()]


def build_mail(order: Order | None, kind: str, /, *, cause: str, now: datetime.datetime, **about) -> Mail:
    """Builds a mail that is due at once, without saving it. `about` is used in its text.

    `kind` is one of Step's MAIL_*. `cause` is unique among the mails of its kind about this order.
    """
    fields = {"kind": kind, "cause": cause[:LONGEST_CAUSE], "message_id": f"<{uuid.uuid4()}@ibs-order-desk>"}
    return Mail(order=order, about=about, written_at=now, next_try_at=now, **fields)


def queue_mail(order: Order | None, kind: str, /, *, cause: str, now: datetime.datetime, **about) -> None:
    """Builds and saves a mail (`build_mail`), unless its cause already has a mail."""
    save_mails([build_mail(order, kind, cause=cause, now=now, **about)])


def save_mails(mails: Iterable[Mail]) -> None:
    """Saves mails, except those whose cause already has a mail."""
    insert_missing(mails)


def tell_accepted(done: Iterable[Dispatch], *, now: datetime.datetime) -> None:
    """Writes the mails for steps that are done: BPM has the order, a subsequent activation is billed.

    The steps must have their orders loaded.
    """
    about = [(row.order, *ACCEPTED[row.step]) for row in done if row.step in ACCEPTED and _counts(row)]
    if about:
        save_mails(build_mail(order, kind, cause=cause, now=now) for order, kind, cause in about)


def _counts(row: Dispatch) -> bool:
    order = row.order
    return not row.repeat and order.undo_since is None and (row.step == Step.START_BPM or order.first is False)


def tell_missed(*, now: datetime.datetime, within: datetime.timedelta = LATELY) -> None:
    """Writes the missing mails of acceptances that were recorded without one.

    Includes the mails of orders that were reopened meanwhile. The sweep calls it each minute. `within`: only orders
    whose state changed within this time.
    """
    lately = Order.objects.filter(kind=Order.Kind.ACTIVATION, undo_since=None, state_since__gte=now - within)
    for step, (kind, _cause) in ACCEPTED.items():
        rows = Dispatch.objects.current().filter(step=step, state=Dispatch.State.DONE, repeat=False, order__in=lately)
        written = Mail.objects.filter(order=OuterRef("order_id"), kind=kind)
        missed = list(rows.filter(~Exists(written)).select_related("order").defer("payload"))
        tell_accepted(missed, now=now)
        if any(map(_counts, missed)):
            wake()


def queue_copy(mail: Mail, *, now: datetime.datetime) -> None:
    """Writes a delivered mail once more, on a user's request. One about an order goes to the present contacts."""
    row = build_mail(mail.order, mail.kind, cause="", now=now, **mail.about)
    row.addressee, row.account_id = mail.addressee, mail.account_id
    if mail.addressee:
        row.recipients, row.subject, row.body = mail.recipients, mail.subject, mail.body
        row.chosen = mail.chosen
    row.save()


def write_notices(
    *,
    kind: str,
    mails: Iterable[str],
    facts: dict,
    path: str,
    now: datetime.datetime,
    account_id: int | None = None,
    order: Order | None = None,
    cause: str = "",
    chosen: Mapping[str, dict] | None = None,
    behind: Iterable[int] = (),
) -> list[Mail]:
    """Writes a mail to staff for each address, in the caller's transaction, and wakes a worker. Returns the mails
    written.

    An address that already has a mail of this order, kind and cause gets none. `kind`: the template; `path`: a page of
    ours; `account_id`: the account in its footer; `chosen`: the reason for each address (Choice.kept); `behind`: the
    ids of the mails whose end this one reports.
    """
    mails = list(mails)
    if not mails:
        return []
    subject, body = render_notice(kind, facts, path)
    rows = []
    for mail in mails:
        row = build_mail(order, kind, cause=cause, now=now, **({"behind": list(behind)} if behind else {}))
        row.recipients, row.subject, row.body = [mail], subject, body
        row.addressee, row.account_id = mail.lower(), account_id
        row.chosen = (chosen or {}).get(mail)
        rows.append(row)
    save_mails(rows)
    written = Mail.objects.filter(message_id__in=[row.message_id for row in rows])
    rows = list(written.order_by("pk"))
    if rows:
        wake()
    return rows
