"""Creates, finds and revokes tokens of the read API for other systems. Only the hash of a token is stored."""

import datetime
import hashlib
import math
import secrets
import time
from collections.abc import Collection

from django.conf import settings
from django.db import Error, IntegrityError, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _

from integrations.base.database_deadline import database_deadline, is_away
from integrations.models import ApiToken
from orders.history.actors import account_id_of, find_account, staff_actor
from orders.history.order_locks_and_events import add_event
from orders.people.second_person import why_not_second
from orders.texts.errors import NotAllowedError, check_reason
from orders.texts.name_rules import why_not_a_name

PREFIX = "ibs_"  # makes tokens recognisable for people and for secret scanners
BEGINS_LENGTH = len(PREFIX) + 4
LONGEST = 200
NOTED_EVERY = datetime.timedelta(minutes=1)
WRITE_TIMEOUT_SECONDS = 0.2  # the longest wait of a request for other writers, to record a token's use
_failed_at = -math.inf  # monotonic time of the last failed attempt in this process


def make_token(
    *,
    system: str,
    letters: Collection[str] | None,
    personal: bool,
    valid_until: datetime.date,
    by: str,
    now: datetime.datetime,
) -> tuple[ApiToken, str]:
    """Creates a token. Returns the token and its text, which is not stored.

    `letters` are the attributions whose orders the token may read. None stands for all attributions. Expired tokens of
    the same system are revoked. `export_personal` may need a second person (orders/rules/four_eyes_acts.py). Then
    personal data stay masked until `agree_to_token` is called.

    Raises NotAllowedError if `valid_until` has passed or is too far ahead, if the system has a valid token, or if the
    system's name has invalid characters.
    """
    today = timezone.localdate(now)
    if valid_until < today:
        raise NotAllowedError("token_day_over")
    if valid_until > last_day(today):
        raise NotAllowedError("token_too_long", days=settings.API_TOKEN_MAX_DAYS)
    if why := why_not_named(system, today):
        raise why
    text = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        system=system,
        digest=_digest(text),
        begins=text[:BEGINS_LENGTH],
        limited=letters is not None,
        personal=personal,
        valid_until=valid_until,
        made_by=by[:160],
        maker_id=account_id_of(by),
        made_at=now,
    )
    try:
        with transaction.atomic():
            # before the new row, because a constraint allows a single unrevoked token per system
            for expired in _unrevoked(system).select_for_update().filter(valid_until__lt=today):
                _revoke(expired, reason=_("It had expired; the system got a new token."), by=by, now=now)
            row.save()
            row.attributions.set(letters or ())
            add_event(
                None,
                "api_token_made",
                by=by,
                now=now,
                system=system,
                begins=row.begins,
                personal=personal,
                attributions=sorted(letters) if letters is not None else None,
                until=valid_until.isoformat(),
            )
    except IntegrityError as error:
        if not _unrevoked(system).exists():
            raise
        raise NotAllowedError("token_system_known", system=system) from error
    return row, text


def last_day(today: datetime.date) -> datetime.date:
    """Returns the last valid day that a token created today may have (contract 4, API_TOKEN_MAX_DAYS)."""
    return today + datetime.timedelta(days=settings.API_TOKEN_MAX_DAYS)


def why_not_named(system: str, today: datetime.date) -> NotAllowedError | None:
    if error := why_not_a_name(system):
        return error
    if _unrevoked(system).filter(valid_until__gte=today).exists():
        return NotAllowedError("token_system_known", system=system)
    return None


def _unrevoked(system: str) -> QuerySet[ApiToken]:
    return ApiToken.objects.annotate(lower=Lower("system")).filter(lower=Lower(Value(system)), revoked_at=None)


def agree_to_token(*, pk: int, judge, now: datetime.datetime) -> ApiToken:
    """Stores a second person's consent to a token that reads personal data. Locks the token's row. Raises
    NotAllowedError (with the reason of `why_not_agree`)."""
    with transaction.atomic():
        row = ApiToken.objects.select_for_update().get(pk=pk)
        if why := why_not_agree(row, judge, now=now):
            raise why
        by = staff_actor(judge)
        row.judged_by, row.judge_id, row.judged_at = by[:160], judge.pk, now
        row.save(update_fields=["judged_by", "judge_id", "judged_at"])
        add_event(None, "api_token_agreed", by=by, now=now, system=row.system, begins=row.begins)
    return row


def why_not_agree(row: ApiToken, judge, *, now: datetime.datetime) -> NotAllowedError | None:
    if not row.waits or not row.is_valid(timezone.localdate(now)):
        return NotAllowedError("token_judged")
    return why_not_second(find_account(row.made_by, row.maker_id, row.made_at), judge, now=now)


def revoke_token(*, pk: int, reason: str, by: str, now: datetime.datetime) -> ApiToken:
    """Revokes a token immediately. Locks the token's row. Raises NotAllowedError if the reason is empty, or if the
    token is already revoked."""
    check_reason(reason, "revoking a token")
    with transaction.atomic():
        row = ApiToken.objects.select_for_update().get(pk=pk)
        if row.revoked_at is not None:
            raise NotAllowedError("token_revoked_already")
        _revoke(row, reason=reason.strip(), by=by, now=now)
    return row


def _revoke(row: ApiToken, *, reason: str, by: str, now: datetime.datetime) -> None:
    row.revoked_at, row.revoked_by = now, by[:160]
    row.save(update_fields=["revoked_at", "revoked_by"])
    add_event(None, "api_token_revoked", by=by, now=now, system=row.system, begins=row.begins, reason=reason)


def find_token(text: str) -> ApiToken | None:
    """Returns the token with this text, valid or not. One query."""
    return ApiToken.objects.filter(digest=_digest(text)).first() if len(text) <= LONGEST else None


def note_used(token: ApiToken, *, now: datetime.datetime) -> None:
    """Records the token's use, at most once a minute. If the database is unavailable or read-only, nothing is recorded,
    so that reading still works."""
    global _failed_at
    before = now - NOTED_EVERY
    if token.used_at is not None and token.used_at > before:
        return
    if time.monotonic() - _failed_at < NOTED_EVERY.total_seconds():
        return
    try:
        stale = Q(used_at=None) | Q(used_at__lte=before)
        with database_deadline(WRITE_TIMEOUT_SECONDS):
            ApiToken.objects.filter(stale, pk=token.pk).update(used_at=now)
    except Error as error:
        if not is_away(error):
            raise
        _failed_at = time.monotonic()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
