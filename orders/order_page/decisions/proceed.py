"""Let an order go on although its trial is closed."""

from django.utils.translation import gettext_lazy as _

from orders.actions import dry_run
from orders.intake.holds import proceed, why_not_proceed
from orders.order_page.decisions.base import Decision


class Proceed(Decision):
    key = "proceed"
    place = 100
    label = _("Let it go on")
    permission = "orders.proceed_order"
    four_eyes = "proceed"
    done = _("The order goes on although its trial is closed.")
    guard = staticmethod(why_not_proceed)
    service = staticmethod(proceed)
    foresee = staticmethod(dry_run.proceed)
