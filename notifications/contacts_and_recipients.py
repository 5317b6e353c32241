"""Chooses the recipients of a mail by attribution and rules, and returns the contacts of an attribution.

Events and kinds of orders are plain strings here. An event is the name of a mail's template. A kind of order is defined
in `orders`.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.models import Contact, MailRule

SHARED = {"JT": "GJ", "GJ": "JT"}  # attributions that share the group-customer SA (政企 SA) if one has no SA of its own
MUST_REACH = frozenset({"mail_held", "mail_incident"})
"""Events that must reach somebody: if a rule leaves no recipient, the default contact gets the mail."""
SA, COPY, DEFAULT, ROLE, CONTACT = "sa", "copy", "default", "role", "contact"
IS_A = {
    SA: gettext_lazy("an SA contact of {of}"),
    COPY: gettext_lazy("a contact of {of} who gets copies"),
    DEFAULT: gettext_lazy("the default contact"),
    ROLE: gettext_lazy("a member of the role {of}"),
    CONTACT: gettext_lazy("a contact whom a rule of the desk names"),
}
"""The role of a recipient, as stated in the mail."""
CHOSEN_AS = {
    SA: gettext_lazy("SA of {of}"),
    COPY: gettext_lazy("copy of {of}"),
    DEFAULT: gettext_lazy("default contact"),
    ROLE: gettext_lazy("role {of}"),
    CONTACT: gettext_lazy("contact named in the rule"),
}
"""The role of a recipient, as shown to staff."""


@dataclass(frozen=True)
class ContactFacts:
    """The facts of a contact at a given time. Only the default contact may lack a `mail`.

    `how` (a key of IS_A) and `of` (an attribution or role) are the reason for choosing the contact. `instead` is True
    for a stand-in, which is chosen because no other contact was found. Comparisons ignore these three fields.
    """

    name: str
    mail: str
    tel: str
    how: str = field(default="", compare=False)
    of: str = field(default="", compare=False)
    instead: bool = field(default=False, compare=False)

    @property
    def is_a(self) -> str | Promise:
        return format_lazy(IS_A[self.how], of=self.of) if self.how else ""


@dataclass(frozen=True)
class Choice:
    """The recipients of a mail. `rule` is the mail rule that was applied, or None. If that rule has no recipients,
    `off` is True and the mail is not sent."""

    people: tuple[ContactFacts, ...]
    rule: MailRule | None = None

    @property
    def off(self) -> bool:
        return not self.people and self.rule is not None and self.rule.is_empty

    def kept(self) -> dict:
        """Returns the value of `Mail.chosen`. Names are stored under `userName`, a key that the masks recognise."""
        people = [
            {"mail": one.mail, "userName": one.name, "how": one.how, "of": one.of, "instead": one.instead}
            for one in self.people
        ]
        rule = self.rule
        scope = rule and [str(rule.attribution or ""), rule.event, rule.order_kind]
        return {"rule": rule and rule.pk, "scope": scope, "off": self.off, "people": people}


def contacts_for(letters: str) -> list[ContactFacts]:
    """Returns the active SA contacts of an attribution, in the order in which they were entered.

    If only one of JT and GJ has contacts, these stand in for the other attribution. If no contact is found,
    returns the default contact of the settings. Without a default contact, the list is empty.
    """
    return _active_contacts(letters, Contact.Role.SA) or _default_contact(instead=bool(letters))


def choose(letters: str, event: str, order_kind: str = "") -> Choice:
    """Returns the recipients of a mail about an order of this attribution: each address once, SAs first.

    `event` is the mail's kind. The applicable rule with the highest weight (`applying`) determines the recipients.
    Without a rule, the SA contacts (`contacts_for`) and the contacts for copies get the mail.

    If the rule of a mail has no recipients, the mail is not sent. But if its event is in MUST_REACH, the default
    contact gets the mail. The default contact also gets the mail if the rule has recipients, but none of them exists
    any more.
    """
    rule = applying(_reads.get().rules(), letters, event, order_kind)
    if rule is None:
        people = [*contacts_for(letters), *_active_contacts(letters, Contact.Role.COPY)]
    else:
        people = _people_of(rule, letters)
    found = _each_once(people)
    if not found and (event in MUST_REACH or rule is not None and not rule.is_empty):
        found = _each_once(_default_contact(instead=bool(letters)))
    return Choice(found, rule)


def applying(rules: Iterable[MailRule], letters: str, event: str, order_kind: str) -> MailRule | None:
    """Returns the applicable rule with the highest weight, or None. An attribution outweighs an event, and an event
    outweighs a kind of order."""
    return max(
        (rule for rule in rules if fits(rule, letters, event, order_kind)), key=lambda rule: rule.weight, default=None
    )


def fits(rule: MailRule, letters: str, event: str, order_kind: str) -> bool:
    asked = ((rule.attribution_id, letters), (rule.event, event), (rule.order_kind, order_kind))
    return all(said in {None, "", given} for said, given in asked)


def overlap(one: MailRule, other: MailRule) -> bool:
    """Returns True if both rules can apply to the same mail."""
    return all(not left or not right or left == right for left, right in zip(one.scope, other.scope, strict=True))


def chosen_as(how: str, of: str, instead: bool) -> str:
    """Returns the reason for choosing a recipient, as a text for staff. The text mentions a stand-in."""
    if how not in CHOSEN_AS:
        return ""
    words = str(CHOSEN_AS[how]).format(of=of)
    if not instead:
        return words
    said = _("nobody else is set") if how == DEFAULT else _("stands in, since none of its own is set")
    return _("%(what)s (%(why)s)") % {"what": words, "why": said}


def distinct(mails: Iterable[str]) -> list[str]:
    """Returns each valid address once, in the given order. Ignores case."""
    found = {}
    for mail in filter(is_address, mails):
        found.setdefault(mail.lower(), mail)
    return list(found.values())


def is_address(mail: str) -> bool:
    try:
        validate_email(mail)
    except ValidationError:
        return False
    return True


def _each_once(people: Iterable[ContactFacts]) -> tuple[ContactFacts, ...]:
    first: dict[str, ContactFacts] = {}
    for one in people:
        first.setdefault(one.mail.strip(), one)
    return tuple(first[mail] for mail in distinct(first))


@dataclass(frozen=True)
class _Reads:
    """The rows read to choose recipients."""

    rules: Callable[[], list[MailRule]]
    contacts: Callable[[str, str], list[tuple[str, str, str, str]]]
    members: Callable[[Group, str], list[ContactFacts]]


def _read_rules() -> list[MailRule]:
    return list(MailRule.objects.select_related("attribution", "role", "contact"))


def _read_contacts(letters: str, role: str) -> list[tuple[str, str, str, str]]:
    rows = Contact.objects.filter(attribution_id=letters, role=role, active=True).order_by("pk")
    return list(rows.values_list("name", "mail", "tel", "attribution__name"))


def _read_members(role: Group, letters: str) -> list[ContactFacts]:
    """Returns the accounts of a role that may log in and see the attribution's orders."""
    people = get_user_model().objects.filter(groups=role, is_active=True, is_staff=True).exclude(email="")
    seeing = people.filter(Q(limited=False) | Q(attributions=letters)).distinct().order_by("pk")
    return [ContactFacts(one.display_name or one.username, one.email, "", ROLE, role.name) for one in seeing]


_anew = _Reads(_read_rules, _read_contacts, _read_members)
_reads: ContextVar[_Reads] = ContextVar("reads", default=_anew)


@contextlib.contextmanager
def contacts_read_once() -> Iterator[None]:
    """Caches rules, contacts and members of roles within the block, for the mails of a batch."""
    token = _reads.set(_Reads(*map(functools.cache, (_read_rules, _read_contacts, _read_members))))
    try:
        yield
    finally:
        _reads.reset(token)


def _people_of(rule: MailRule, letters: str) -> list[ContactFacts]:
    people = _active_contacts(letters, Contact.Role.SA) if rule.to_sa else []
    people += _active_contacts(letters, Contact.Role.COPY) if rule.to_copies else []
    people += _default_contact() if rule.to_default else []
    people += _reads.get().members(rule.role, letters) if rule.role else []
    if rule.contact is not None and rule.contact.active:
        people.append(ContactFacts(rule.contact.name, rule.contact.mail, rule.contact.tel, CONTACT))
    return people


def _active_contacts(letters: str, role: str) -> list[ContactFacts]:
    """Returns the active contacts of an attribution. If it has none and shares its SA with another attribution
    (SHARED), returns the contacts of that attribution."""
    for own in [letters, *filter(None, [SHARED.get(letters)])]:
        if found := _reads.get().contacts(own, role):
            return [ContactFacts(*row, how=role, of=place, instead=own != letters) for *row, place in found]
    return []


def _default_contact(*, instead: bool = False) -> list[ContactFacts]:
    named = (settings.DEFAULT_CONTACT_NAME, settings.DEFAULT_CONTACT_MAIL, settings.DEFAULT_CONTACT_TEL)
    return [ContactFacts(*named, how=DEFAULT, instead=instead)] if any(named) else []
