"""Judges whether one account may be the second person to another: whether they are two people (contract 3.11).

Which acts need a second person: `orders/rules/four_eyes_acts.py`. What waits for one: `orders/people/asked_acts.py`.
"""

import datetime
from collections.abc import Mapping

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from orders.history.actors import COMMAND, name_of, user_name
from orders.texts.errors import NotAllowedError

SAME_PERSON_PERIOD = datetime.timedelta(days=30)  # so long one person counts for both accounts
FOR_GOOD = datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
Givers = Mapping[str, datetime.datetime]
"""By the id of an account, as text, or COMMAND for the machine's command line: when it last gave something."""


def why_not_second(
    first, second, *, now: datetime.datetime, given: Mapping[str, Givers] | None = None
) -> NotAllowedError | None:
    """Returns why this account can't be the second person to what the first one asked for; None if it can (contract
    3.11).

    What an account asked for that is gone (None) has no second person. `given`: what `givers_of_all` has read.
    """
    if first is None:
        return NotAllowedError("second_person_unknown")
    if first.pk == second.pk:
        return NotAllowedError("second_person_own")
    given = givers_of_all(now=now) if given is None else given
    if until := one_person_until(first.pk, second.pk, given):
        return NotAllowedError("second_person_close", until=f"{timezone.localtime(until):%Y-%m-%d %H:%M}")
    return None


def one_person_until(first: int, second: int, given: Mapping[str, Givers]) -> datetime.datetime | None:
    """Returns how long two accounts have a giver in common, if nothing more is given; None if they have none."""
    ours, theirs = (_chains(str(account), given) for account in (first, second))
    ends = [min(ours[one], theirs[one]) for one in ours.keys() & theirs.keys()]
    return max(ends) + SAME_PERSON_PERIOD if ends else None


def givers_of_all(*, now: datetime.datetime) -> dict[str, Givers]:
    """Returns who gave accounts something within 30 days, by the id of the account, as text. One query."""
    rows = get_user_model().objects.filter(given_by__isnull=False).values_list("pk", "given_by")
    return {str(pk): givers(given_by, now=now) for pk, given_by in rows}


def givers(given_by: Mapping[str, str] | None, *, now: datetime.datetime) -> Givers:
    """Returns who gave an account something within 30 days, by what the account keeps. The company log-in is no
    giver."""
    known = {one: parse_datetime(at) for one, at in (given_by or {}).items() if one == COMMAND or one.isdecimal()}
    return {one: at for one, at in known.items() if at is not None and at > now - SAME_PERSON_PERIOD}


def second_person_words(user, *, now: datetime.datetime) -> str:
    """Returns from when on an account counts as a second person with everybody, and why not yet. Empty if it does."""
    if not (given := givers(user.given_by, now=now)):
        return ""
    names = {one: _("the command line") if one == COMMAND else user_name(int(one)) or one for one in given}
    facts = {
        "names": _(", ").join(name_of(name) for name in sorted(names.values())),
        "at": f"{timezone.localtime(max(given.values()) + SAME_PERSON_PERIOD):%Y-%m-%d %H:%M}",
    }
    return (
        _(
            "Made or changed by %(names)s within 30 days. Until %(at)s the account confirms nothing that they, or "
            "whoever else they made or changed, ask for, and none of these confirms what it asks for."
        )
        % facts
    )


def _chains(account: str, given: Mapping[str, Givers]) -> dict[str, datetime.datetime]:
    """All who are behind an account: itself, its givers, theirs and so on. Each with the moment of the oldest link of
    the chain to it, of the chain that lasts longest."""
    found, waiting = {account: FOR_GOOD}, [account]
    for one in waiting:
        for giver, at in given.get(one, {}).items():
            oldest = min(at, found[one])
            if giver not in found or found[giver] < oldest:
                found[giver] = oldest
                waiting.append(giver)
    return found
