"""Decide if two accounts belong to two different people, so that one may confirm acts of the other (contract 3.11).

`orders/rules/four_eyes_acts.py` lists the acts that need a second person. `orders/people/asked_acts.py` handles the
acts that wait for a second person.
"""

import datetime
from collections.abc import Mapping

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from orders.history.actors import COMMAND, name_of, user_name
from orders.texts.errors import NotAllowedError

SAME_PERSON_PERIOD = datetime.timedelta(days=30)  # for this time two accounts with a common giver count as one person
FOR_GOOD = datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
Givers = Mapping[str, datetime.datetime]
"""By the id of an account, as text, or COMMAND for the machine's command line: when it last gave something."""


def why_not_second(
    first, second, *, now: datetime.datetime, given: Mapping[str, Givers] | None = None
) -> NotAllowedError | None:
    """Returns the reason why `second` may not confirm acts that `first` requested, or None if `second` may (contract
    3.11).

    If the first account is deleted (None), nobody may confirm its acts. `given`: the result of `givers_of_all`, if it
    was read before.
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
    """Returns the time until which two accounts count as one person because of a common giver, or None if the accounts
    have no common giver."""
    ours, theirs = (_chains(str(account), given) for account in (first, second))
    ends = [min(ours[one], theirs[one]) for one in ours.keys() & theirs.keys()]
    return max(ends) + SAME_PERSON_PERIOD if ends else None


def givers_of_all(*, now: datetime.datetime) -> dict[str, Givers]:
    """Returns the givers of the last 30 days for each account, by the account's id as text. Makes one query."""
    rows = get_user_model().objects.filter(given_by__isnull=False).values_list("pk", "given_by")
    return {str(pk): givers(given_by, now=now) for pk, given_by in rows}


def givers(given_by: Mapping[str, str] | None, *, now: datetime.datetime) -> Givers:
    """Returns the accounts that created or changed this account within 30 days, from its stored `given_by`.

    The company log-in does not count as a giver.
    """
    known = {one: parse_datetime(at) for one, at in (given_by or {}).items() if one == COMMAND or one.isdecimal()}
    return {one: at for one, at in known.items() if at is not None and at > now - SAME_PERSON_PERIOD}


def second_person_words(user, *, now: datetime.datetime) -> str:
    """Returns a sentence with the time from which an account may act as second person for everybody, and the reason for
    the delay.

    The sentence is empty if there is no delay.
    """
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
    """Returns the account itself, its givers, their givers and so on, each with a time.

    The time is the time of the oldest link between the account and the giver. If several chains lead to the giver, the
    time of the chain that expires last is used.
    """
    found, waiting = {account: FOR_GOOD}, [account]
    for one in waiting:
        for giver, at in given.get(one, {}).items():
            oldest = min(at, found[one])
            if giver not in found or found[giver] < oldest:
                found[giver] = oldest
                waiting.append(giver)
    return found
