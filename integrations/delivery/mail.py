"""Carries out the outbox's mail steps. A mail's content is read from the database when it is first tried."""

import datetime
import json
from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext, gettext_noop, ngettext, override

from integrations.outbound.deadline import TLSSocket, connected, deadline
from integrations.outbound.formats import encode
from notifications.mail_texts import MailFacts, MailRequest, mail_payload, write_mails
from notifications.sending import MailError, send
from orders.incident_causes import cause_of, title_of
from orders.models import Attempt, Dispatch, Order
from orders.order_page.error_details import detail_text
from orders.queries.standing import GOES_ON, what_became
from orders.services.incidents import SAID_BY_STAFF
from orders.services.outbox.outcome import Work

LANGUAGE = "zh-hans"
COMPARED = gettext_noop(
    "%(orders)d orders and %(records)d records compared, %(differences)d differences, %(fixed)d put right"
)


def mail_facts(row: Dispatch, domains: list[str]) -> MailFacts:
    """The facts of a mail step. Its `about` says what happened: `code` or `because`, and `detail` with `params`."""
    if row.step == Dispatch.Step.MAIL_RECONCILED:
        return _reconciliation_facts(row.about)
    order: Order = row.order
    code = row.about.get("code") or row.about.get("because") or ""
    over = row.step == Dispatch.Step.MAIL_OVER
    with override(LANGUAGE):
        detail = _orders(row.about.get("orders", 1)) if over else _detail(row.about, code)
        cause = cause_of(code) if code else None
        title = title_of(code, row.about.get("words", "")) if cause else ""
        said = (
            gettext("%(what)s (%(detail)s)") % {"what": title, "detail": detail}
            if cause and detail
            else title or detail
        )
        return MailFacts(
            order_number=order.number,
            kind_label=order.get_kind_display(),
            state_label=order.get_state_display(),
            enterprise_name=order.enterprise_name,
            attribution=str(order.attribution or ""),
            domains=domains,
            start=order.start_at,
            cause=said,
            next_step=str(cause.next) if cause and not over else "",
            admin_path=_page(row),
            outcome=_outcome(row) if over else "",
        )


def _outcome(row: Dispatch) -> str:
    """What became of the orders of an incident that is over, in the mail's attribution; empty if all of them go on."""
    became = what_became(row.about.get("incident"), row.order.attribution_id)
    going = sum(number for state, number in became.items() if state in GOES_ON)
    stopped = [(Order.State(state).label, number) for state, number in became.most_common() if state not in GOES_ON]
    if not stopped:
        return ""
    parts = [(gettext("go on"), going)] * bool(going) + stopped
    counted = gettext(", ").join(gettext("%(what)s: %(n)d") % {"what": what, "n": n} for what, n in parts)
    return gettext("The incident is over. Its orders now: %(orders)s.") % {"orders": counted}


def _detail(about: dict, code: str) -> str:
    """What stands beside the cause, in words: a sentence of ours, or what a person wrote. Never the English of logs."""
    params, written = about.get("params") or {}, not code or code in SAID_BY_STAFF
    return detail_text(about.get("detail", ""), params) if params or written else ""


def _reconciliation_facts(about: dict) -> MailFacts:
    """The facts of a comparison's mail: what was compared, what differed, what happens now. It is about no order."""
    with override(LANGUAGE):
        if not about["differences"]:
            do = gettext("Nothing needs to be done.")
        elif about["fixed"] == about["differences"]:
            do = gettext("Nothing to do: it goes on by itself.")
        else:
            do = gettext("Look at the differences, then have them put right: reconcile --fix.")
        return MailFacts(
            order_number="",
            kind_label="",
            state_label=about["error"],
            cause=gettext(COMPARED) % about,
            next_step=do,
            admin_path=f"/admin/orders/reconciliation/{about['reconciliation']}/change/",
        )


def _orders(number: int) -> str:
    return ngettext("%(number)d order was affected", "%(number)d orders were affected", number) % {"number": number}


def _page(row: Dispatch) -> str:
    """The page where the reader can see more: the incident that the mail is about, or else its order."""
    incident = row.about.get("incident")
    return f"/admin/orders/incident/{incident}/change/" if incident else f"/admin/orders/order/{row.order_id}/change/"


def build_mails(
    rows: Iterable[Dispatch], now: datetime.datetime, records: dict, domains: dict
) -> dict[int, str | Exception]:
    """The payloads of mails, addressed to the present contacts. One that can't be built is its exception."""
    requests, wrong = [], {}
    for row in rows:
        try:
            requests.append(_request(row, domains[row.order_id]))
        except Exception as error:  # no error may stop the other mails
            wrong[row.pk] = error
    mails = write_mails(requests, now=now)
    built = {pk: mail if isinstance(mail, Exception) else encode(mail_payload(mail)) for pk, mail in mails.items()}
    return wrong | built


def _request(row: Dispatch, domains: list[str]) -> MailRequest:
    return MailRequest(
        dispatch_id=row.pk,
        dispatch_key=row.key,
        order_id=row.order_id,
        kind=row.step,
        facts=mail_facts(row, domains),
        letters="" if row.step == Dispatch.Step.MAIL_RECONCILED else row.order.attribution_id or "",
    )


def send_mail(work: Work, until: float) -> dict:
    """Sends a mail step's mail. Its payload then tells who got it, where that is not everybody at once."""
    payload = json.loads(work.payload)
    after = send_in_time(payload)
    data = {"payload": encode(after)} if after["refused"] or "got" in payload else {}
    return {"result": Attempt.Outcome.OK, "data": data}


def send_in_time(payload: dict) -> dict:
    """As `send`, within the partners' total time-out: a mail that outlasts its lease would be sent twice."""
    seconds = settings.PARTNER_TIMEOUT_SECONDS
    with deadline(seconds) as call:
        try:
            return send(payload, connect=connected, tls=TLSSocket)
        except MailError as error:
            if call.overdue and not error.permanent:
                late = MailError(f"the mail server took longer than {seconds} s", permanent=False, code="timeout")
                late.left = error.left
                raise late from error
            raise
