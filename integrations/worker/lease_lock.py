"""Turns: a thing that one worker of all does at a time, such as waiting for the next due moment. A plain lease."""

import datetime
import uuid

from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone

from integrations import models

HELD_FOR = datetime.timedelta(seconds=5)
RENEWED_AFTER = datetime.timedelta(seconds=2)


class Turn:
    """`take()` is True as long as the turn is ours; a holder that died loses it after five seconds."""

    def __init__(self, name: str):
        self.name = name
        self.me = uuid.uuid4()
        self.mine = False
        self.renew_at: datetime.datetime | None = None

    def is_free(self) -> bool:
        """Whether `take()` is worth a try: a look costs no write."""
        if self.mine:
            return True
        row = models.Turn.objects.filter(name=self.name).first()
        return row is None or row.holder is None or row.until < timezone.now()

    def take(self) -> bool:
        """Takes or keeps the turn."""
        now = timezone.now()
        if self.mine and self.renew_at and now < self.renew_at:
            return True
        free = Q(holder=self.me) | Q(holder=None) | Q(until__lt=now)
        rows = models.Turn.objects.filter(free, name=self.name)
        self.mine = bool(rows.update(holder=self.me, until=now + HELD_FOR)) or self._first(now)
        self.renew_at = now + RENEWED_AFTER
        return self.mine

    def _first(self, now: datetime.datetime) -> bool:
        """The very first taker makes the row."""
        if models.Turn.objects.filter(name=self.name).exists():
            return False
        try:
            models.Turn.objects.create(name=self.name, holder=self.me, until=now + HELD_FOR)
        except IntegrityError:
            return False
        return True

    def give_back(self) -> None:
        """Lets others have it; harmless if it is not ours."""
        if self.mine:
            models.Turn.objects.filter(name=self.name, holder=self.me).update(holder=None, until=None)
