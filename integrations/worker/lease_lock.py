"""A lease on work that only one worker may do at a time, such as waiting for the next due time."""

import datetime
import uuid

from django.db import IntegrityError
from django.db.models import Q
from django.utils import timezone

from integrations.models import LeaseLock

HELD_FOR = datetime.timedelta(seconds=5)
RENEWED_AFTER = datetime.timedelta(seconds=2)


class Lease:
    """A lease. If its holder dies, the lease expires after `held_for`. To extend the lease, the holder calls
    `acquire()` again."""

    def __init__(self, name: str, *, held_for: datetime.timedelta = HELD_FOR):
        self.name, self.held_for = name, held_for
        self.me = uuid.uuid4()
        self.mine = False
        self.renew_at: datetime.datetime | None = None

    def is_free(self) -> bool:
        """Returns True if `acquire()` may succeed. This read is cheaper than the write of `acquire()`."""
        if self.mine:
            return True
        row = LeaseLock.objects.filter(name=self.name).first()
        return row is None or row.holder is None or row.until < timezone.now()

    def acquire(self) -> bool:
        """Takes or extends the lease. If another worker holds the lease, returns False. While this worker holds the
        lease, the database is written at most every RENEWED_AFTER."""
        now = timezone.now()
        if self.mine and self.renew_at and now < self.renew_at:
            return True
        free = Q(holder=self.me) | Q(holder=None) | Q(until__lt=now)
        rows = LeaseLock.objects.filter(free, name=self.name)
        self.mine = bool(rows.update(holder=self.me, until=now + self.held_for)) or self._create_row(now)
        self.renew_at = now + RENEWED_AFTER
        return self.mine

    def _create_row(self, now: datetime.datetime) -> bool:
        if LeaseLock.objects.filter(name=self.name).exists():
            return False
        try:
            LeaseLock.objects.create(name=self.name, holder=self.me, until=now + self.held_for)
        except IntegrityError:
            return False
        return True

    def give_back(self) -> None:
        if self.mine:
            LeaseLock.objects.filter(name=self.name, holder=self.me).update(holder=None, until=None)
