"""Hints about refused messages of BBOSS: the reason and the next step, for each code that we send (contract 2.3)."""

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.models import InboundMessage
from orders.texts.incident_texts import ITSELF, MACHINE, OUTSIDE, READ, Advice, Cause

CLOCK = Advice(
    _(
        "Compare both clocks (NTP). The time is Asia/Shanghai, YYYYMMDDHHMMSS; some minutes of difference are allowed. "
        "BBOSS sends it again."
    ),
    MACHINE,
)
ADDRESS = Advice(
    _("Tell BBOSS's engineers which domain, node and party numbers are ours; they put it right and send it again."),
    OUTSIDE,
)
MEMBER = re.compile(r": ([A-Za-z][A-Za-z0-9]{0,39})\b")  # in the answers to 20101 and 20505

ANSWERS = {
    "00000": Cause(_("It was accepted."), Advice(_("Nothing to do."), ITSELF)),
    "20402": Cause(
        _("It has no transaction number."), Advice(_("BBOSS must give the call one, and send it again."), OUTSIDE)
    ),
    "20101": Cause(
        _("A required member is missing."), Advice(_("BBOSS must add this member, and send it again."), OUTSIDE)
    ),
    "20207": Cause(
        _("It is signed by a method that we don't take."),
        Advice(_("Only md5 is agreed upon: BBOSS signs it so and sends it again."), OUTSIDE),
    ),
    "20209": Cause(_("Its timeStamp is not a time."), CLOCK),
    "20210": Cause(_("Its timeStamp is too far from our clock."), CLOCK),
    "20314": Cause(_("We don't know the party that sent it."), ADDRESS),
    "20305": Cause(
        _("Its access token is malformed, or we don't know it."),
        Advice(
            _(
                "Compare the token with BBOSS; set a new one beside the old one before it changes. BBOSS sends it "
                "again."
            ),
            MACHINE,
        ),
    ),
    "20311": Cause(
        _("Its access token has expired."),
        Advice(_("Agree upon a new token with BBOSS and set it here; BBOSS sends it again with that one."), MACHINE),
    ),
    "20208": Cause(
        _("Its signature is not the one that we compute."),
        Advice(
            _(
                "On its page compare the text to sign with BBOSS's, letter by letter; if they are equal, the secret "
                "differs. BBOSS sends it again."
            ),
            READ,
        ),
    ),
    "20501": Cause(_("Its routeType is not 00 or 01."), ADDRESS),
    "20502": Cause(_("Its domain or routeValue is not ours: it was meant for another system."), ADDRESS),
    "21000": Cause(
        _("Test data came to production, or production data to a test system."),
        Advice(_("Ask BBOSS which one was meant; they send it to the right system."), OUTSIDE),
    ),
    "20505": Cause(
        _("A member of its content is wrong."),
        Advice(_("BBOSS must put this member right, and send it again."), OUTSIDE),
    ),
    "20002": Cause(
        _("Its transaction number was accepted before, with other content."),
        Advice(_("BBOSS must give every call its own transaction number, and send it again."), OUTSIDE),
    ),
}
BUSINESS = {
    "3001": Cause(
        _("We have an order with this number and other content."),
        Advice(_("Look at both under Conflicts, and clear up with BBOSS which one counts."), "conflicts"),
    ),
    "3004": Cause(
        _("It withdraws an order that we don't have."), Advice(_("Ask BBOSS which order was meant."), OUTSIDE)
    ),
    "3005": Cause(
        _("An activation holds the trial that it withdraws."),
        Advice(_("The activation must be withdrawn first."), OUTSIDE),
    ),
}
UNKNOWN = Cause(_("It was refused."), Advice(_("Show the message to BBOSS's engineers."), OUTSIDE))


def why_refused(message: InboundMessage) -> Cause:
    """Returns the reason and the next step, with the name of the wrong or missing field if there is one."""
    cause = BUSINESS.get(message.biz_code) or ANSWERS.get(message.rsp_code, UNKNOWN)
    member = MEMBER.search(message.rsp_desc) if message.rsp_code in {"20101", "20505"} else None
    if member is None:
        return cause
    return Cause(gettext("%(what)s It is %(member)s.") % {"what": cause.what, "member": member[1]}, *cause.advice)
