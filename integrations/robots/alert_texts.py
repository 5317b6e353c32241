"""The messages to robots, as data and as texts for staff. They contain no partners' texts and no customers' names."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from integrations.models import RobotAlert
from orders.order_words.history import PARTNER_NAMES
from orders.texts.incident_texts import cause_of

MAX_LINES = 10  # incidents listed in a text
HAPPENED = {
    RobotAlert.Event.OPENED: gettext_lazy("Incident"),
    RobotAlert.Event.GROWN: gettext_lazy("Incident has grown"),
    RobotAlert.Event.OVER: gettext_lazy("Incident is over"),
}


@dataclass(frozen=True)
class RobotMessage:
    """A message about one incident or about several incidents. For several, `incident` is None, and `lines` lists them.

    `orders` is the number of stopped orders when the alert was created. If the incidents have different partners or
    codes, `partner` or `code` is empty.
    """

    event: str
    incident: int | None
    partner: str
    code: str
    orders: int
    link: str
    lines: tuple[str, ...]

    @property
    def facts(self) -> dict:
        """Returns the body for the kind `json` (contract 4)."""
        names = ("event", "incident", "partner", "code", "orders", "link")
        return {name: getattr(self, name) for name in names}

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, self.link])


def one_message(alert: RobotAlert) -> RobotMessage:
    incident = alert.incident
    link = _address("admin:orders_incident_change", incident.pk)
    facts = (alert.event, incident.pk, incident.partner, incident.code, alert.orders, link)
    return RobotMessage(*facts, lines=(_line(alert),))


def summary_message(alerts: Sequence[RobotAlert]) -> RobotMessage:
    """Returns a single message for many alerts. The message has the last alert of each incident."""
    last = list({alert.incident_id: alert for alert in alerts}.values())
    events = [event for event in RobotAlert.Event if event in {alert.event for alert in last}]
    partners, codes = ({getattr(alert.incident, name) for alert in last} for name in ("partner", "code"))
    lines = [
        ngettext("%(n)d incident has changed:", "%(n)d incidents have changed:", len(last)) % {"n": len(last)},
        *map(_line, last[:MAX_LINES]),
    ]
    if len(last) > MAX_LINES:
        lines.append(_("and %(n)d more") % {"n": len(last) - MAX_LINES})
    return RobotMessage(
        event=events[0],
        incident=None,
        partner=partners.pop() if len(partners) == 1 else "",
        code=codes.pop() if len(codes) == 1 else "",
        orders=sum(alert.orders for alert in last),
        link=f"{_address('admin:orders_incident_changelist')}?open=yes",
        lines=tuple(lines),
    )


def _line(alert: RobotAlert) -> str:
    incident = alert.incident
    words = {
        "happened": _("Incident was set aside") if alert.is_ignored else HAPPENED[alert.event],
        "number": incident.pk,
        "partner": PARTNER_NAMES.get(incident.partner, incident.partner),
        "what": str(cause_of(incident.code).what),
    }
    line = _("%(happened)s #%(number)d, %(partner)s: %(what)s") % words
    if not alert.orders or alert.event == RobotAlert.Event.OVER:
        return line
    stopped = ngettext("%(n)d order is stopped.", "%(n)d orders are stopped.", alert.orders)
    return f"{line} {stopped % {'n': alert.orders}}"


def _address(name: str, *args: object) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=args)}"
