"""Let an order go on although its info-security files are not right."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.attachments.files import waive_files, why_not_waive
from orders.attachments.preview import findings_of
from orders.models import Dispatch
from orders.order_page.decisions.base import Decision
from orders.order_words.error_details import of_finding
from orders.order_words.ladder.step_rungs import Facts
from orders.texts.incident_causes import cause_of


class Waive(Decision):
    key = "waive"
    place = 20
    label = gettext_lazy("Waive the finding")
    permission = "orders.waive_finding"
    four_eyes = "waive"
    done = gettext_lazy("The finding is waived; the order goes on.")
    guard = staticmethod(why_not_waive)
    service = staticmethod(waive_files)

    def will(self, facts: Facts, **asked: object) -> list[str]:
        """Names the finding: whoever waives it should know what it is."""
        found = facts.of(lambda row: row.step == Dispatch.Step.CHECK_FILES and row.error_code)
        return [
            *(_say(one) for row in found for one in findings_of(row) if one["code"]),
            _("The order goes on although its info-security files are not right."),
            _("The reason enters the approval history, for good."),
        ]


def _say(one: dict) -> str:
    what = f"{one['file']}{_(': ')}{cause_of(one['code']).what} {of_finding(one)}"
    return _("Found: %(what)s") % {"what": what}
