"""Sends mails. Builds their texts at the first attempt, from the database's current state."""

import datetime
import json

from django.conf import settings
from django.utils.translation import gettext, gettext_noop, ngettext, override

from integrations.outbound.total_timeout import TLSSocket, connected, deadline
from integrations.outbound.wire_formats import encode
from notifications.contacts_and_recipients import choose
from notifications.mail_rendering import MailFacts, write_text
from notifications.models import Mail
from notifications.sending import MailError, send
from orders.incidents.incident_codes import SAID_BY_STAFF
from orders.incidents.stopped_orders import GOING_ON, what_became
from orders.models import Attempt, Order
from orders.order_words.error_details import detail_text
from orders.outbox.outcome import Work
from orders.rules.steps import Step
from orders.texts.incident_texts import cause_of, title_of

LANGUAGE = "zh-hans"
COMPARED = gettext_noop(
    "%(orders)d orders and %(records)d records compared, %(differences)d differences, %(fixed)d put right"
)


def mail_facts(kind: str, order: Order | None, about: dict, domains: list[str]) -> MailFacts:
    """Returns the facts of a mail. `about` describes the event: it has `code` or `because`, and `detail` with
    `params`."""
    if order is None or kind == Step.MAIL_RECONCILED:
        return _reconciliation_facts(about)
    code = about.get("code") or about.get("because") or ""
    over = kind == Step.MAIL_OVER
    with override(LANGUAGE):
        detail = _orders(about.get("orders", 1)) if over else _detail(about, code)
        cause = cause_of(code) if code else None
        words = about.get("words", "")
        title = title_of(code, "" if detail else words) if cause else ""  # the detail has the text
        title = title.rstrip("。. ") if words else title
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
            admin_path=_page(order, about),
            outcome=_outcome(order, about) if over else "",
            since=datetime.datetime.fromisoformat(about["since"]) if over and "since" in about else None,
        )


def _outcome(order: Order, about: dict) -> str:
    """Returns a sentence for the mail about a closed incident. It lists the current states of the incident's orders in
    the mail's attribution. Returns "" if all orders continue and staff did not close the incident with a reason."""
    became, ended = what_became(about.get("incident"), order.attribution_id)
    going = sum(number for state, number in became.items() if state in GOING_ON)
    stopped = [(Order.State(state).label, number) for state, number in became.most_common() if state not in GOING_ON]
    if ended:
        states = [(Order.State(state).label, number) for state, number in became.most_common()]
        said = gettext("Staff ended the incident with a reason. Its orders now: %(orders)s.")
        return said % {"orders": _counted(states)}
    if not stopped:
        return ""
    parts = [(gettext("go on"), going)] * bool(going) + stopped
    return gettext("The incident is over. Its orders now: %(orders)s.") % {"orders": _counted(parts)}


def _counted(parts: list[tuple[str, int]]) -> str:
    return gettext(", ").join(gettext("%(what)s: %(n)d") % {"what": what, "n": n} for what, n in parts)


def _detail(about: dict, code: str) -> str:
    """Returns the detail of a cause for staff: a message of ours, or a text written by staff. English log texts are
    left out."""
    params, written = about.get("params") or {}, not code or code in SAID_BY_STAFF
    return detail_text(about.get("detail", ""), params) if params or written else ""


def _reconciliation_facts(about: dict) -> MailFacts:
    """Returns the facts of a mail about a reconciliation: the figures of the comparison, its error and the next step.
    Such a mail belongs to no order."""
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


def _page(order: Order, about: dict) -> str:
    """Returns the path of the incident that the mail is about. If there is no incident, returns the path of the
    order."""
    incident = about.get("incident")
    return f"/admin/orders/incident/{incident}/change/" if incident else f"/admin/orders/order/{order.pk}/change/"


def write_mail(mail: Mail, domains: list[str]) -> None:
    """Sets a mail's text and recipients at its first attempt, from the current contacts, without saving the mail."""
    order = None if mail.kind == Step.MAIL_RECONCILED else mail.order
    chosen = choose((order and order.attribution_id) or "", mail.kind, order.kind if order else "")
    write_text(mail, mail_facts(mail.kind, order, mail.about, domains), chosen)


def send_mail(work: Work, until: float) -> dict:
    """Sends a mail. Returns the fields of an Outcome. If the first attempt reached all recipients, there is no `data`.
    Otherwise `data` has the payload with each recipient's result."""
    payload = json.loads(work.payload)
    after = send_in_time(payload)
    data = {"payload": encode(after)} if after["refused"] or "got" in payload else {}
    return {"result": Attempt.Outcome.OK, "data": data}


def send_in_time(payload: dict) -> dict:
    """Sends a mail like `send`, within PARTNER_TIMEOUT_SECONDS in total. A mail that outlasts its lease would be sent
    twice. Raises MailError. At the time-out its code is `timeout`."""
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
