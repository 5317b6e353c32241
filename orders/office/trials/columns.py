"""The columns of a workbook of trials: the members of a trial (contract 2.4), with titles, hints and examples.

The members and their rules are the same as in BBOSS's messages.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from orders.models import Order, Province, ServiceType
from orders.order_words.glossary import WORDS
from orders.rules.content import MemberFault, OrderContent, TrialMember

NUMBER, CUSTOMER, CUSTOMER_NAME = "OrderNum", "EnterpriseID", "EnterpriseName"
DOMAINS, SERVICE, ATTRIBUTION = "ProvContent", "BusinessType", "Attribution"
PRODUCT, METHOD, VOLUME = "ProdType", "BillingMethod", "DataFlow"
START, END = "BizStart", "BizEnd"
PERSON, PHONE, MAIL = "OperUser", "OperTel", "OperMail"
ABOUT: dict[str, tuple[str, str | Promise]] = {
    NUMBER: (
        "100A260930170122001",
        _("the number that BBOSS gave it (ask for it): 1 to 64 of A-Z, a-z, 0-9, _ and -"),
    ),
    CUSTOMER: ("100A23100079275183", _("the first three digits say the attribution")),
    CUSTOMER_NAME: ("北京示例科技有限公司", ""),
    PRODUCT: ("1", _("one of those below")),
    SERVICE: ("1", _("one of those below")),
    METHOD: ("1", _("one of those below")),
    VOLUME: ("500", _("a number, in GB")),
    START: ("20260930", _("a day, like 20260930 or 2026-09-30")),
    DOMAINS: (
        "a.example.com\nb.example.com",
        _("a domain or URL on each line, or with blanks, commas or semicolons between them"),
    ),
    END: ("20261231", _("a day, like 20260930 or 2026-09-30; not before the start day")),
    "CpID": ("80171614", ""),
    "UserID": ("1458", ""),
    PERSON: ("张三", ""),
    PHONE: ("13700000000", _("like 13800000000 or 010-12345678")),
    MAIL: ("zhangsan@example.com", ""),
    ATTRIBUTION: ("BJ", _("one of those below; empty: by the enterprise id")),
}
"""{member: (example, hint)}"""
CODED = {PRODUCT: {"1": _("CDN")}, METHOD: {"1": _("by traffic")}}
"""{member: {code: name}} of the known codes; BBOSS may send others (contract 2.4)."""
MAX_RECENT_ORDERS = 1000  # newest orders
CODE = re.compile(r"[0-9]{1,8}")


@dataclass(frozen=True)
class Column:
    """A column. `title` is the member's name in the current language."""

    member: str
    required: bool
    is_day: bool

    @property
    def title(self) -> str:
        return capitalized(str(WORDS[self.member]))

    @property
    def example(self) -> str:
        return ABOUT[self.member][0]

    @property
    def hint(self) -> str:
        return capitalized(str(ABOUT[self.member][1]))

    @property
    def names(self) -> set[str]:
        """Returns the accepted headers in lower case: the member's name and its Chinese title."""
        with override("zh-hans"):
            return {self.member.lower(), self.title.lower()}


def capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass
class Rules:
    """BBOSS's rules for a trial. `integrations` is a higher layer, so it sets these functions when the app starts."""

    members: Callable[[], list[TrialMember]] | None = None
    read: Callable[[dict], tuple[OrderContent | None, list[MemberFault]]] | None = None


rules = Rules()


@functools.cache
def trial_columns() -> dict[str, Column]:
    """Returns {member: its column}, in the order of the template."""
    return {one.name: Column(one.name, one.required, one.is_day) for one in rules.members()}


def read_trial(content: dict) -> tuple[OrderContent | None, list[MemberFault]]:
    """Parses a trial by the rules for BBOSS's messages. Returns the content, or None and all its faults."""
    return rules.read(content)


def service_types() -> list[str]:
    return list(ServiceType.objects.order_by("code").values_list("code", flat=True))


def coded_choices() -> dict[str, list[tuple[str, str]]]:
    """Returns {member: [(code, name)]}: the known codes, and the codes of recent orders. Makes one query."""
    newest = Order.objects.order_by("-pk").values_list("prod_type", "billing_method")[:MAX_RECENT_ORDERS]
    sent = zip(*newest, strict=True) if newest else [(), ()]
    return {
        member: [
            *((code, str(name)) for code, name in names.items()),
            *((code, _("as BBOSS sends it")) for code in sorted(set(codes) - names.keys()) if CODE.fullmatch(code)),
        ]
        for (member, names), codes in zip(CODED.items(), sent, strict=True)
    }


def attributions(letters: frozenset[str] | None) -> list[tuple[str, str]]:
    """Returns letters and name of the attributions that may be entered. `letters`: the attributions of a limited
    user."""
    rows = Province.objects.order_by("code")
    rows = rows if letters is None else rows.filter(letters__in=letters)
    return list(rows.values_list("letters", "name"))
