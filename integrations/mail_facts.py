"""What a mail about an order tells: read from the database when the mail is first tried."""

from django.utils.translation import override

from notifications.facts import MailFacts
from orders.causes import cause_of
from orders.models import Dispatch, Order

LANGUAGE = "zh-hans"


def mail_facts(row: Dispatch, domains: list[str]) -> MailFacts:
    """The facts of a mail step. Its `about` says what happened: `code` or `because`, and `detail`."""
    order: Order = row.order
    code = row.about.get("code") or row.about.get("because") or ""
    detail = row.about.get("detail", "")
    with override(LANGUAGE):
        cause = cause_of(code) if code else None
        said = f"{cause.what} ({code}: {detail})" if cause and detail else str(cause.what) if cause else detail
        return MailFacts(
            order_number=order.number,
            kind_label=order.get_kind_display(),
            state_label=order.get_state_display(),
            enterprise_name=order.enterprise_name,
            attribution=str(order.attribution or ""),
            domains=domains,
            start=order.start_at,
            cause=said,
            next_step=str(cause.next) if cause else "",
            admin_path=f"/admin/orders/order/{order.pk}/change/",
        )
