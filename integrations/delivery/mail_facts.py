"""What a mail about an order tells: read from the database when the mail is first tried."""

from django.utils.translation import gettext, gettext_noop, ngettext, override

from notifications.facts import MailFacts
from orders.error_codes import cause_of, title_of
from orders.models import Dispatch, Order

LANGUAGE = "zh-hans"
COMPARED = gettext_noop(
    "%(orders)d orders and %(records)d records compared, %(differences)d differences, %(fixed)d put right"
)


def mail_facts(row: Dispatch, domains: list[str]) -> MailFacts:
    """The facts of a mail step. Its `about` says what happened: `code` or `because`, and `detail`."""
    if row.step == Dispatch.Step.MAIL_RECONCILED:
        return _reconciliation_facts(row.about)
    order: Order = row.order
    code = row.about.get("code") or row.about.get("because") or ""
    over = row.step == Dispatch.Step.MAIL_OVER
    with override(LANGUAGE):
        detail = _orders(row.about.get("orders", 1)) if over else row.about.get("detail", "")
        cause = cause_of(code) if code else None
        title = title_of(code, row.about.get("words", "")) if cause else ""
        said = f"{title} ({code}: {detail})" if cause and detail else title or detail
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
        )


def _reconciliation_facts(about: dict) -> MailFacts:
    """A comparison's mail is about no order: what was compared, what differed, what happens now."""
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
    """Where the reader can see more: the incident that the mail is about, or else its order."""
    incident = row.about.get("incident")
    return f"/admin/orders/incident/{incident}/change/" if incident else f"/admin/orders/order/{row.order_id}/change/"
