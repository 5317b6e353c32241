"""Why a service refused, in a reader's language: its English is for the command line and the log. Pure."""

import re

from django.utils.translation import gettext_lazy

from orders.models import Order

REASONS = [
    # opening a compensated order again
    (r"not allowed, because (?P<number>\S+) is first", gettext_lazy("Not allowed, because %(number)s is first.")),
    (r"not allowed, because BPM rejected it", gettext_lazy("Not allowed, because BPM rejected it.")),
    (r"not allowed, because its trial is (?P<state>\w+)",
     gettext_lazy("Not allowed, because its trial is closed: %(state)s")),
    (r"not allowed, because the order is (?P<state>\w+)", gettext_lazy("Not allowed in this state: %(state)s")),
    (r"not allowed, because staff must first say how a late undoing of its trial ends",
     gettext_lazy("Not allowed, before staff have said how another activation of its trial is undone.")),
    (r"not allowed, because a deletion of it was given up and its records are billed still",
     gettext_lazy("Not allowed, because a deletion of it was given up and its records are billed still.")),
    (r"not allowed, because a fix of a comparison is under way for it",
     gettext_lazy("Not allowed, while what a comparison found is being put right.")),
    # take, accept
    (r"nothing was asked: bigdata is paused since .*",
     gettext_lazy("Nothing was asked: calls to the big-data side are paused.")),
    (r"a billing step of order (?P<number>\S+) or its trial is under way; .*",
     gettext_lazy("A billing step of the order or its trial is under way; try again when it has ended.")),
    (r"step \w+ can't be taken: .*",
     gettext_lazy("It can't be taken: the big-data side does not hold the records as the step means them. Resend the "
                  "step, or withdraw the order.")),
    (r"record (?P<domain>\S+) can't be taken: it is live here and not there; .*",
     gettext_lazy("It can't be taken: %(domain)s is live here and not there. Have it sent again, or live with it.")),
    (r"record (?P<domain>\S+) can't be taken: it is live there and order .*",
     gettext_lazy("It can't be taken: %(domain)s is live there and must not be. Have it removed, or live with it.")),
    (r"a trial change has no records of its own: take those of trial (?P<number>\S+)",
     gettext_lazy("A change has no records of its own: take those of its trial, %(number)s.")),
    (r"order \S+ has no step that stopped and no open difference to take",
     gettext_lazy("There is nothing to take any more.")),
    # decide
    (r"a pass counts for order \S+ already", gettext_lazy("A pass counts for it already.")),
    (r"a reject counts for order \S+ already", gettext_lazy("A reject counts for it already.")),
    (r"more than (?P<most>\d+) domains", gettext_lazy("More than %(most)s domains.")),
]  # fmt: skip
OF_THE_ORDER = re.compile(r"order \S+: ")


def refusal(why: str) -> str:
    """The sentence; empty for a reason that we have no words for."""
    why = OF_THE_ORDER.sub("", why, count=1)
    for pattern, words in REASONS:
        if found := re.fullmatch(pattern, why, re.DOTALL):
            facts = found.groupdict()
            if facts.get("state") in Order.State.values:
                facts["state"] = str(Order.State(facts["state"]).label)
            return str(words) % facts
    return ""
