"""Password validators in addition to Django's (AUTH_PASSWORD_VALIDATORS). They apply to new passwords only."""

import re

from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from notifications.masks import folded
from project.models import PASSWORDS_KEPT, User

SHORTEST_WORD, SHORTEST_CHINESE = 3, 2  # shorter parts of a name occur in many words
SHORTEST_PHONE, PHONE_COMPARED = 6, 8


class PersonValidator:
    """Rejects a password that contains the person's user name, name, mail or phone, or a part of one of them."""

    def validate(self, password: str, user: User | None = None) -> None:
        plain = _plain(password)
        if user is not None and (any(word in plain for word in _words(user)) or _phone(user) in _digits(plain)):
            raise ValidationError(self.get_help_text(), code="password_of_person")

    def get_help_text(self) -> str:
        return _("The password must not hold the user name, name, mail or phone of its person.")


class UsedPasswordValidator:
    """Rejects the current password and the previous passwords, five passwords in all."""

    def validate(self, password: str, user: User | None = None) -> None:
        if user is None or user.pk is None:
            return
        before = user.used_passwords.order_by("-pk").values_list("password", flat=True)
        had = [user.password] if user.has_usable_password() else []
        if any(check_password(password, one) for one in [*had, *before][:PASSWORDS_KEPT]):
            raise ValidationError(self.get_help_text(), code="password_used")

    def get_help_text(self) -> str:
        return _("The password must be none of the account's last five.")


def _plain(text: str) -> str:
    return folded(text).casefold()


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _phone(user: User) -> str:
    """Returns the last PHONE_COMPARED digits of the phone number. Returns "-" if it has fewer than SHORTEST_PHONE
    digits. The digits of a password never contain "-"."""
    digits = _digits(_plain(user.phone))
    return digits[-PHONE_COMPARED:] if len(digits) >= SHORTEST_PHONE else "-"


def _words(user: User) -> set[str]:
    whole = [_plain(text) for text in (user.username, user.display_name, user.email.partition("@")[0])]
    parts = {part for text in whole for part in (text, *re.split(r"[\W_]+", text))}
    return {part for part in parts if len(part) >= (SHORTEST_WORD if part.isascii() else SHORTEST_CHINESE)}
