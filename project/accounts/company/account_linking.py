"""Links an account to a person of the company log-in. An administrator does this once, on the account's page."""

import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.masks import mask_mail
from orders.history.actors import staff_actor
from orders.history.order_locks_and_events import add_event
from project.accounts.company.account_provisioning import MAIL_LINK_VALID_FOR, why_not_linkable
from project.models import CompanyAccount, User


def why_link_refused(user: User, *, subject: str, mail: str, by_mail: bool) -> str | Promise | None:
    """Returns an error text if this link is invalid. Returns None if it is valid, or if it removes the link."""
    if not (subject or by_mail):
        return None
    if why := why_not_linkable(user):
        return why
    if subject and by_mail:
        return _("Either the person or the mail, not both.")
    if by_mail and not mail:
        return _("The account has no mail address.")
    others = User.objects.exclude(pk=user.pk)
    if by_mail and others.filter(email__iexact=mail).exists():
        return _("Another account has the same mail address. Enter the person's number instead.")
    taken = others.filter(company__subject=subject, company__issuer=settings.OIDC_ISSUER).first() if subject else None
    return _("This person has the account %(name)s.") % {"name": taken.get_username()} if taken else None


@transaction.atomic
def link_account(user: User, *, subject: str, mail: str, by: User, now: datetime.datetime) -> None:
    """Links the account to the person with this `sub`. If `mail` is given instead, the first person who logs in with
    this verified mail address is linked.

    If both are missing, removes the link.
    """
    about = {"by": staff_actor(by), "now": now, "account": user.get_username()}
    CompanyAccount.objects.filter(user=user).delete()
    if not (subject or mail):
        add_event(None, "account_unjoined", **about)
        return
    until = None if subject else now + MAIL_LINK_VALID_FOR
    CompanyAccount.objects.create(user=user, issuer=settings.OIDC_ISSUER, subject=subject, mail=mail, until=until)
    add_event(None, "account_joined" if subject else "account_join_allowed", **about)


def link_words(user: User) -> str:
    """Returns a sentence about the account's link to the company log-in."""
    row = CompanyAccount.objects.filter(user=user).first()
    if row is None:
        return _("Nobody of the company log-in has this account.")
    if row.subject:
        return _("A person of the company log-in has this account.")
    if row.until < timezone.now():
        return _("Nobody logged in with its mail in time; allow it again.")
    words = {"mail": mask_mail(row.mail), "until": f"{timezone.localtime(row.until):%Y-%m-%d %H:%M}"}
    return _("Whoever logs in with the verified mail %(mail)s until %(until)s gets this account.") % words
