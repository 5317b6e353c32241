"""Who may call, and how often (contract 2.3, codes 20303 and 20308).

Settings: BBOSS_ALLOWED_IPS, BBOSS_RATE and BBOSS_UNSIGNED_RATE.
"""

import datetime
import ipaddress
import logging
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import connection

from integrations.bboss.responses import Code, Refused
from integrations.models import CallCount

logger = logging.getLogger(__name__)
PARTS = 60
BLOCKS = 600  # a process counts this part of a rate at once
NEARLY = 0.9  # from here on each call is counted by itself
MOST_CALLERS = 1000
_TABLE = CallCount._meta.db_table
# Nobody waits until a count is on disk. A crash that loses the last ones only lets a few calls more through.
_AT_ONCE = "SELECT set_config('synchronous_commit', 'off', true)"
_COUNT = (
    f"INSERT INTO {_TABLE} (caller, part, calls, until) SELECT %s, %s, %s, %s{{source}}"
    f" ON CONFLICT (caller, part) DO UPDATE SET calls = {_TABLE}.calls + %s"
    f" RETURNING calls + (SELECT COALESCE(SUM(b.calls), 0) FROM {_TABLE} b"
    " WHERE b.caller = %s AND b.part > %s AND b.part < %s)"
)
COUNT = {
    "postgresql": _COUNT.format(source=f" FROM ({_AT_ONCE}) AS at_once"),
    "sqlite": _COUNT.format(source=" WHERE true"),  # so that its parser sees no join in ON CONFLICT
}
TAKE_BACK = f"UPDATE {_TABLE} SET calls = calls - %s WHERE caller = %s AND part = %s"

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*([a-z]+)")
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=8)
def parse_rate(text: str, name: str = "BBOSS_RATE") -> tuple[int, int] | None:
    """`600/min` as (calls, seconds). An empty text gives None: no limit. Raises ValueError that names the setting."""
    if not text.strip():
        return None
    match = _RATE.fullmatch(text.strip().lower())
    if not match or match.group(2) not in SECONDS or not int(match.group(1)):
        raise ValueError(f"{name} must be like 600/min, 10/s or 1000/hour, or empty, not {text!r}")
    return int(match.group(1)), SECONDS[match.group(2)]


def parse_networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Parses addresses and networks (CIDR). Raises ValueError that names BBOSS_ALLOWED_IPS."""
    return _parse_networks(tuple(entries))


@lru_cache(maxsize=8)
def _parse_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(entry.strip()) for entry in entries if entry.strip())
    except ValueError as error:
        raise ValueError(f"BBOSS_ALLOWED_IPS: {error}") from None


def caller_address(meta: dict) -> str:
    """The caller's address, or "" if there is none.

    Behind N proxies of ours (TRUSTED_PROXY_COUNT), the outermost of them wrote the N-th entry from the end of
    X-Forwarded-For. Entries before it are the caller's own claim. A shorter list did not come through all proxies and
    is ignored.
    """
    count = settings.TRUSTED_PROXY_COUNT
    entries = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    believed = entries[-count] if 0 < count <= len(entries) and entries[-count].strip() else ""
    return _plain(believed or meta.get("REMOTE_ADDR", ""))


def _plain(text: str) -> str:
    """Gives each address one spelling: no port, and IPv4 instead of IPv4-mapped IPv6. "" if it is not an address."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match.group(1) or match.group(2)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)[:64]


def check_address(address: str) -> None:
    """Raises Refused 20303 if BBOSS_ALLOWED_IPS is set and the address is not in it."""
    networks = parse_networks(settings.BBOSS_ALLOWED_IPS)
    if not networks:
        return
    if not address or not any(ipaddress.ip_address(address) in network for network in networks):
        raise Refused(Code.ADDRESS_REFUSED, hint=f"address {address or 'unknown'} is not in BBOSS_ALLOWED_IPS")


def check_rate(address: str, now: datetime.datetime) -> None:
    """Counts the call. If its caller has used up BBOSS_RATE, raises Refused 20308 and does not count it."""
    rate = parse_rate(settings.BBOSS_RATE)
    if rate and not _counted(caller_of(address), rate, now):
        raise too_often(f"address {address}: more than {settings.BBOSS_RATE}", rate)


def check_unsigned_rate(now: datetime.datetime) -> None:
    """Counts a message without a right token and signature. Raises Refused 20308 beyond BBOSS_UNSIGNED_RATE.

    All strangers share this rate, so they can't fill the disk, however many they are.
    """
    rate = parse_rate(settings.BBOSS_UNSIGNED_RATE, "BBOSS_UNSIGNED_RATE")
    if rate and not _counted("unsigned", rate, now):
        raise too_often(f"more than {settings.BBOSS_UNSIGNED_RATE} messages without a right signature", rate)


def count_refused(address: str, now: datetime.datetime) -> None:
    """Counts a call that is refused for another reason. Never raises: a fault of ours is only logged."""
    try:
        check_rate(address, now)
    except Refused:
        pass
    except Exception:
        logger.exception("a call of %s was not counted", address or "-")


def too_often(hint: str, rate: tuple[int, int]) -> Refused:
    """Makes the refusal 20308, with the seconds after which the caller may come back."""
    return Refused(Code.TOO_OFTEN, hint=hint, retry_after=rate[1])


def caller_of(address: str) -> str:
    """The key under which calls are counted: an IPv4 address, or the /64 of an IPv6 one, which is one caller's."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))


def forget_counts(*, now: datetime.datetime) -> None:
    """Removes counts that are too old for any rate."""
    CallCount.objects.filter(until__lt=int(now.timestamp())).delete()


@dataclass
class CountedAhead:
    """The calls of a caller that this process has counted already, but that have not come yet.

    `part` is when they were counted. They lapse when the part after it is over. `near`: the rate is nearly used up.
    """

    part: int = -1
    left: int = 0
    near: bool = False

    def take(self, part: int) -> bool:
        """Takes one, if there is one."""
        with _lock:
            if not self.left or part - self.part > 1:
                return False
            self.left -= 1
            return True

    def take_lapsed(self, part: int) -> tuple[int, int]:
        """Takes all that have lapsed: how many, and the part in which they were counted."""
        with _lock:
            lapsed = self.left if part - self.part > 1 else 0
            self.left -= lapsed
            return lapsed, self.part

    def add(self, part: int, count: int, *, near: bool) -> None:
        with _lock:
            self.part, self.left, self.near = part, self.left + count, near


_lock = threading.Lock()
_ahead: dict[tuple, CountedAhead] = {}


def _counted(caller: str, rate: tuple[int, int], now: datetime.datetime) -> bool:
    """Counts one more call. Returns False, and counts nothing, if the rate leaves no room for it.

    The rate's period is cut into PARTS, with a row for each. So a call costs one statement, however many calls there
    are, which holds no lock afterwards. Counting gives the call its place. So exactly as many of the calls that come at
    once get through as the rate allows.

    Of a high rate, a process counts a block of calls at once, as long as the rate is not nearly used up. What has
    lapsed is given back. So a process is at most one block away from the exact number.
    """
    calls, seconds = rate
    caller, part = f"{seconds}:{caller}", int(now.timestamp() * PARTS // seconds)
    ahead = _ahead_of(caller, calls)
    if ahead.take(part):
        return True
    block = 1 if ahead.near else max(1, calls // BLOCKS)
    lapsed, then = ahead.take_lapsed(part)
    with connection.cursor() as cursor:
        if lapsed:
            cursor.execute(TAKE_BACK, [lapsed, caller, then])
        until = int(now.timestamp()) + 2 * seconds
        cursor.execute(COUNT[connection.vendor], [caller, part, block, until, block, caller, part - PARTS, part])
        used = cursor.fetchone()[0]
        over = max(min(used - calls, block), 0)
        if over:
            cursor.execute(TAKE_BACK, [over, caller, part])
    ahead.add(part, max(block - over - 1, 0), near=used > calls * NEARLY)
    return over < block


def _ahead_of(caller: str, calls: int) -> CountedAhead:
    if len(_ahead) > MOST_CALLERS:
        _ahead.clear()
    return _ahead.setdefault((caller, calls), CountedAhead())
