"""ModelAdmins of orders and related models. History is read-only, reference data can be edited."""

from orders.admin import (  # noqa: F401  importing them registers the pages
    approvals,
    asked_act,
    billing,
    conflict,
    dispatch,
    event,
    files,
    inbound,
    incident,
    mail_rules,
    mails,
    order_list,
    order_rows,
    pause,
    reconciliation,
    reference,
    restore_timeline,
)
from orders.customer_page import admin as customer  # noqa: F401
from orders.office.bulk import admin as bulk_runs  # noqa: F401
from orders.office.exports import admin as exports  # noqa: F401
from orders.office.exports import schedule_admin as schedules  # noqa: F401
from orders.office.saved_views import admin as saved_views  # noqa: F401
from orders.office.trials import admin as trial_uploads  # noqa: F401
