"""Who is responsible for an attribution, and who gets mail about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifications.models import Contact

SHARED = {"JT": "GJ", "GJ": "JT"}  # both share the group-customer SA (政企 SA), unless each has its own

IS_A = {Contact.Role.SA: _("an SA contact of {place}"), Contact.Role.COPY: _("a contact of {place} who gets copies")}


@dataclass(frozen=True)
class ContactFacts:
    """A contact at some moment. Only the default contact may lack a `mail`. `is_a`: as what it was chosen."""

    name: str
    mail: str
    tel: str
    is_a: str | Promise = field(default="", compare=False)


def contacts_for(letters: str) -> list[ContactFacts]:
    """The active SA contacts of an attribution, in the order in which they were entered.

    JT and GJ stand in for each other if one of them has no contact. If there is nobody at all, it is the default
    contact of the settings. The list is empty only if that is not set either.
    """
    return _active_contacts(letters, Contact.Role.SA) or _default_contact()


def addressees(letters: str) -> dict[str, str | Promise]:
    """The addresses for a mail about this attribution, SAs first, each with the rule that chose it, in words."""
    copies = _active_contacts(letters, Contact.Role.COPY)
    chosen: dict[str, str | Promise] = {}
    for contact in [*contacts_for(letters), *copies]:
        chosen.setdefault(contact.mail.strip(), contact.is_a)
    return {mail: chosen[mail] for mail in distinct(chosen)}


def distinct(mails: Iterable[str]) -> list[str]:
    """Each address once, in the given order. Invalid ones are left out: one would keep the mail from all others."""
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


def _active_contacts(letters: str, role: str) -> list[ContactFacts]:
    """Those of an attribution, or else those of the one that stands in for it."""
    for own in [letters, *filter(None, [SHARED.get(letters)])]:
        rows = Contact.objects.filter(attribution_id=own, role=role, active=True).order_by("pk")
        found = list(rows.values_list("name", "mail", "tel", "attribution__name"))
        if found:
            return [ContactFacts(*row, is_a=format_lazy(IS_A[role], place=place)) for *row, place in found]
    return []


def _default_contact() -> list[ContactFacts]:
    named = (settings.DEFAULT_CONTACT_NAME, settings.DEFAULT_CONTACT_MAIL, settings.DEFAULT_CONTACT_TEL)
    return [ContactFacts(*named, is_a=_("the default contact"))] if any(named) else []
