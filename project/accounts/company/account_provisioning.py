"""Creates the account of a person of the company log-in, and updates its roles and limit at each log-in.

A person is identified by `iss` and `sub`. The provider's groups determine roles and limit at each log-in (contract 4,
OIDC_ROLES). Roles that were assigned by hand are removed. Superuser status and single permissions are always removed
too. The log-in never gives them.
"""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from orders.models import Province
from orders.texts.name_rules import why_not_a_name
from project.accounts.permission_words import permission_words
from project.accounts.separation_of_duties import rights_of, why_not_together
from project.base.settings_table import Grant
from project.models import CompanyAccount, UsedName, User

FORBIDDEN_CHARACTERS = re.compile(r"[^\w.@+-]+")  # as Django's UnicodeUsernameValidator
LONGEST_NAME, LONGEST_MAIL = 100, 254
MAIL_LINK_VALID_FOR = datetime.timedelta(days=7)
COMPANY = "company"


class ProvisioningError(Exception):
    """The provider knows this person, but the person may not log in here.

    `code` is `no_group`, `roles_apart` or `disabled`. `person` is the account's user name. If there is no account,
    `person` is the provider's `sub`.
    """

    def __init__(self, code: str, person: str):
        super().__init__(code)
        self.code, self.person = code, person


def provision_account(claims: dict) -> User:
    """Returns the person's account, with updated roles and limit. Creates the account at the first log-in. Locks it.

    Raises ProvisioningError after the roles have been updated, so that a person without a grant loses all roles.
    """
    now = timezone.now()
    given, why = grants_of(claims.get(settings.OIDC_CLAIM)), "no_group"
    if why_not_together(rights_of(Group.objects.filter(name__in={grant.role for grant in given}))):
        given, why = [], "roles_apart"
    with transaction.atomic():
        user = _linked_account(claims, now=now)
        if user is None and given:
            user = _new_account(claims, now=now)
        if user is not None:
            user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
            _apply_grants(user, given, now=now)
    if user is not None and not (user.is_active and user.is_staff):
        raise ProvisioningError("disabled", user.get_username())
    if user is None or not given:
        raise ProvisioningError(why, user.get_username() if user else claims["sub"])
    return user


def grants_of(claim: object) -> list[Grant]:
    """Returns the grants of a claim's groups, without grants of unknown roles. The claim is a group's name, or a list
    of names."""
    groups = set(filter(lambda name: isinstance(name, str), claim if isinstance(claim, list) else [claim]))
    found = [grant for grant in settings.OIDC_ROLES if grant.group in groups]
    there = set(Group.objects.filter(name__in={grant.role for grant in found}).values_list("name", flat=True))
    return [grant for grant in found if grant.role in there]


def verified_mail(claims: dict) -> str:
    """Returns the mail address if it is valid and the provider has verified it. Otherwise returns an empty text."""
    mail = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(mail, str) or len(mail) > LONGEST_MAIL:
        return ""
    try:
        validate_email(mail)
    except ValidationError:
        return ""
    return mail


def _linked_account(claims: dict, *, now: datetime.datetime) -> User | None:
    rows = CompanyAccount.objects.select_related("user")
    row = rows.filter(issuer=settings.OIDC_ISSUER, subject=claims["sub"]).first()
    if row is None and (row := _pending_link(claims, now=now)):
        row.subject, row.until = claims["sub"], None
        row.save(update_fields=["subject", "until"])
        add_event(None, "account_joined", by=staff_actor(row.user), now=now, account=row.user.get_username())
    return row and row.user


def _pending_link(claims: dict, *, now: datetime.datetime) -> CompanyAccount | None:
    """Returns the pending link for the verified mail address, locked. If there is no pending link, or if several links
    or accounts have this address, returns None."""
    mail = verified_mail(claims)
    if not mail or User.objects.filter(email__iexact=mail).count() > 1:
        return None
    rows = CompanyAccount.objects.select_for_update().filter(issuer=settings.OIDC_ISSUER, subject="", until__gt=now)
    found = list(rows.filter(mail__iexact=mail)[:2])
    return found[0] if len(found) == 1 and why_not_linkable(found[0].user) is None else None


def why_not_linkable(user: User) -> Promise | None:
    """Returns an error text if no person may be linked to the account. Otherwise returns None."""
    if user.is_superuser:
        return _("An account with all rights stays apart: each company log-in would take its rights.")
    if hasattr(user, "emergency"):
        return _("An account for an emergency stays apart from the company log-in.")
    return None


def _new_account(claims: dict, *, now: datetime.datetime) -> User:
    """Creates the account. Raises SuspiciousOperation if a simultaneous log-in has created an account for this
    person."""
    user = User(email=verified_mail(claims), display_name=_name_of(claims), is_staff=True)
    user.given_by = {COMPANY: now.isoformat()}
    user.set_unusable_password()
    for user.username in free_names(claims.get("preferred_username"), claims["sub"]):
        try:
            user.save()
            break
        except ValidationError:  # another account has just taken the name
            continue
    try:
        with transaction.atomic():
            CompanyAccount.objects.create(user=user, issuer=settings.OIDC_ISSUER, subject=claims["sub"])
    except IntegrityError as error:
        raise SuspiciousOperation("the person logs in twice for the first time") from error
    add_event(None, "account_made", by=COMPANY, now=now, account=user.username)
    return user


def free_names(*wanted: object) -> Iterable[str]:
    """Yields user names that were never used, in any letter case. The plain names come first, then the names with
    numbers."""
    texts = (unicodedata.normalize("NFKC", text) for text in wanted if isinstance(text, str))
    name = next(filter(None, (FORBIDDEN_CHARACTERS.sub("", text)[:LONGEST_NAME] for text in texts)), "person")
    for number in itertools.count(1):
        numbered = name if number == 1 else f"{name}-{number}"
        if not UsedName.objects.filter(name__iexact=numbered).exists():
            yield numbered


def _name_of(claims: dict) -> str:
    name = claims.get("name")
    return name if isinstance(name, str) and len(name) <= 64 and not why_not_a_name(name) else ""


def _apply_grants(user: User, given: list[Grant], *, now: datetime.datetime) -> None:
    """Sets roles and limit from the grants, and records an event if anything changed. The caller has locked the
    account.

    Without a grant the limit is kept, in case somebody assigns a role by hand later.
    """
    letters = frozenset().union(*(grant.letters for grant in given))
    roles = {grant.role for grant in given}
    had = set(user.groups.values_list("name", flat=True))
    provinces = set(user.attributions.values_list("letters", flat=True))
    limited = bool(letters)
    if not given:
        limited, letters = user.limited, frozenset(provinces)
    changed = {
        "added": sorted(roles - had),
        "removed": sorted(had - roles),
        "limit": (limited, letters) != (user.limited, provinces),
        "permissions": sorted(map(permission_words, user.user_permissions.select_related("content_type"))),
        "superuser": user.is_superuser,
    }
    if not any(changed.values()):
        return
    before = _limit_words(user.limited, provinces)
    user.limited, user.is_superuser = limited, False
    user.save(update_fields=["limited", "is_superuser"])
    user.groups.set(Group.objects.filter(name__in=roles))
    user.attributions.set(Province.objects.filter(letters__in=letters))
    user.user_permissions.set([])
    what = [f"+ {name}" for name in changed["added"]] + [f"− {name}" for name in changed["removed"]]
    about = {"account": user.get_username(), "roles": " ".join(what), "limit_before": before}
    taken = {name: changed[name] for name in ("superuser", "permissions") if changed[name]}
    add_event(None, "account_roles", by=COMPANY, now=now, **about, limit=_limit_words(limited, letters), **taken)


def _limit_words(limited: bool, letters: Iterable[str]) -> str:
    return ("+".join(sorted(letters)) or "-") if limited else "*"
