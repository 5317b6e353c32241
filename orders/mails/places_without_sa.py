"""Attributions without an SA: their mails go to the default contact."""

from collections.abc import Set

from django.db.models import Exists, OuterRef

from notifications.contacts_and_recipients import SHARED
from notifications.models import Contact
from orders.models import Province


def places_without_sa(letters: Set[str] | None) -> list[str]:
    """Returns their names, among these attributions or (None) all. JT and GJ substitute each other. One query."""
    own = Contact.objects.filter(attribution=OuterRef("pk"), role=Contact.Role.SA, active=True)
    rows = list(Province.objects.annotate(own=Exists(own)).order_by("code").values_list("letters", "name", "own"))
    having = {code for code, _name, has in rows if has}
    return [
        name
        for code, name, has in rows
        if not has and SHARED.get(code) not in having and (letters is None or code in letters)
    ]
