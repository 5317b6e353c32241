"""Why we refused a message of BBOSS, and what to do about it, for each code that we answer (contract 2.3)."""

from django.utils.translation import gettext_lazy as _

from orders.incident_causes import Cause
from orders.models import InboundMessage

ASK = _("Show the message below to BBOSS's engineers.")
CLOCK = _(
    "Compare both clocks (NTP). The time is Asia/Shanghai, YYYYMMDDHHMMSS; some minutes of difference are allowed."
)
ADDRESS = _("Tell BBOSS's engineers which domain, node and party numbers are ours.")

ANSWERS = {
    "00000": Cause(_("It was accepted."), _("Nothing to do.")),
    "20402": Cause(_("It has no transaction number."), ASK),
    "20101": Cause(_("A required member is missing."), ASK),
    "20207": Cause(_("It is signed by a method that we don't take."), _("Only md5 is agreed upon; tell BBOSS.")),
    "20209": Cause(_("Its timeStamp is not a time."), CLOCK),
    "20210": Cause(_("Its timeStamp is too far from our clock."), CLOCK),
    "20314": Cause(_("We don't know the party that sent it."), ADDRESS),
    "20305": Cause(
        _("Its access token is malformed, or we don't know it."),
        _("Compare the token with BBOSS; set a new one beside the old one before it changes."),
    ),
    "20311": Cause(_("Its access token has expired."), _("Agree upon a new token with BBOSS and set it here.")),
    "20208": Cause(
        _("Its signature is not the one that we compute."),
        _("Compare the text to sign below with BBOSS's, letter by letter; if they are equal, the secret differs."),
    ),
    "20501": Cause(_("Its routeType is not 00 or 01."), ADDRESS),
    "20502": Cause(_("Its domain or routeValue is not ours: it was meant for another system."), ADDRESS),
    "21000": Cause(
        _("Test data came to production, or production data to a test system."), _("Ask BBOSS which one was meant.")
    ),
    "20505": Cause(
        _("A member of its content is wrong."), _("The answer names the member; BBOSS sends it again, put right.")
    ),
    "20002": Cause(
        _("Its transaction number was accepted before, with other content."),
        _("BBOSS must give every call its own transaction number."),
    ),
}  # fmt: skip
BUSINESS = {
    "3001": Cause(
        _("We have an order with this number and other content."),
        _("Look at both under Conflicts, and clear up with BBOSS which one counts."),
    ),
    "3004": Cause(_("It withdraws an order that we don't have."), _("Ask BBOSS which order was meant.")),
    "3005": Cause(_("An activation holds the trial that it withdraws."), _("The activation must be withdrawn first.")),
}
UNKNOWN = Cause(_("It was refused."), ASK)


def why_refused(message: InboundMessage) -> Cause:
    """The message's outcome in words."""
    return BUSINESS.get(message.biz_code) or ANSWERS.get(message.rsp_code, UNKNOWN)
