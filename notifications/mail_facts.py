"""What a mail says about an order: plain values, which the caller reads from the database."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

DOMAINS_NAMED = 20
LONGEST_TEXT = 2000


@dataclass(frozen=True, kw_only=True)
class MailFacts:
    """One order as its SA reads it. Labels may be lazily translated. An empty value leaves its line out or blank.

    `domains` holds all domains, `start` is an aware time, `cause` and `next_step` are sentences, and `admin_path` is
    the page of the order. `outcome`: what became of an incident's orders, if not all of them go on.
    """

    order_number: str
    kind_label: str
    state_label: str
    enterprise_name: str = ""
    attribution: str = ""
    domains: Sequence[str] = ()
    start: datetime.datetime | None = None
    cause: str = ""
    next_step: str = ""
    admin_path: str = ""
    outcome: str = ""

    def for_template(self) -> dict:
        """The values that the templates name, each on one line, so that no value can begin a line of its own."""
        texts = ("order_number", "kind_label", "state_label", "enterprise_name", "attribution")
        more = ("cause", "next_step", "admin_path", "outcome")
        return {
            **{name: one_line(getattr(self, name)) for name in texts + more},
            "start": f"{timezone.localtime(self.start):%Y-%m-%d %H:%M:%S}" if self.start else "",
            "domains": [one_line(name) for name in self.domains[:DOMAINS_NAMED]],
            "domain_count": len(self.domains),
            "domains_left_out": max(len(self.domains) - DOMAINS_NAMED, 0),
        }


def one_line(value: object) -> str:
    """The text without line breaks and other control characters, at most LONGEST_TEXT characters long."""
    text = str(value)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:LONGEST_TEXT]
