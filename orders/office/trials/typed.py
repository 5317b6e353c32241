"""What people who type a trial must keep to besides BBOSS's rules (contract 2.4, by hand)."""

import re
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from orders.office.trials.columns import CUSTOMER, CUSTOMER_NAME, DOMAINS, MAIL, PERSON, PHONE, VOLUME
from orders.readable import why_not_a_name

EXCEL_ERROR = re.compile(r"#N/A|#[A-Z0-9/_]+[!?]")
FORMS = {
    CUSTOMER: (re.compile(r"[A-Za-z0-9_-]+"), "typed_id"),
    VOLUME: (re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?"), "typed_volume"),
    PHONE: (re.compile(r"\+?[0-9][0-9 ()-]{5,18}[0-9]"), "typed_phone"),
}


def typed_faults(content: dict) -> Iterator[tuple[str, str]]:
    """(member, code) of what BBOSS may send, and a person may not type."""
    for member, text in content.items():
        if member == DOMAINS or not text:
            continue
        if text.startswith("="):
            yield member, "cell_formula"
        elif EXCEL_ERROR.fullmatch(text):
            yield member, "cell_error"
        elif member in FORMS and not FORMS[member][0].fullmatch(text):
            yield member, FORMS[member][1]
        elif member in (CUSTOMER_NAME, PERSON) and (error := why_not_a_name(text)):
            yield member, error.code
        elif member == MAIL and not _is_mail(text):
            yield member, "typed_mail"


def _is_mail(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
