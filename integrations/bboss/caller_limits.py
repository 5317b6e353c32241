"""Checks callers' addresses and the rates of their calls (contract 2.3, codes 20303 and 20308).

Settings: BBOSS_ALLOWED_IPS, BBOSS_RATE and BBOSS_UNSIGNED_RATE (contract 4).

Calls are counted in the memory of each web process. So counting needs no database and takes no time, but N processes
together admit N times the rate.
"""

import ipaddress
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic

from django.conf import settings

from integrations.bboss.reply_codes import Code, Refused

logger = logging.getLogger(__name__)
MAX_CALLERS = 10_000
NEARLY_ONE = 1 - 1e-6  # rounding may leave a token that was restored in fractions slightly below 1

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*([a-z]+)")
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=8)
def parse_rate(text: str, name: str = "BBOSS_RATE") -> tuple[int, int] | None:
    """Parses `600/min` to (calls, seconds). Returns None for an empty text, which means no limit. Raises ValueError
    with the setting's name."""
    if not text.strip():
        return None
    match = _RATE.fullmatch(text.strip().lower())
    if not match or match.group(2) not in SECONDS or not int(match.group(1)):
        raise ValueError(f"{name} must be like 600/min, 10/s or 1000/hour, or empty, not {text!r}")
    return int(match.group(1)), SECONDS[match.group(2)]


def parse_networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Parses addresses and networks (CIDR). Raises ValueError with the name BBOSS_ALLOWED_IPS."""
    return _parse_networks(tuple(entries))


@lru_cache(maxsize=8)
def _parse_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(entry.strip()) for entry in entries if entry.strip())
    except ValueError as error:
        raise ValueError(f"BBOSS_ALLOWED_IPS: {error}") from None


def caller_address(meta: dict) -> str:
    """Returns the caller's address, or "" if there is none.

    With N proxies of ours (TRUSTED_PROXY_COUNT), the outermost proxy wrote the N-th entry from the end of
    X-Forwarded-For. Earlier entries come from the caller and are not trusted. A list with fewer than N entries did not
    pass all proxies, so the list is ignored.
    """
    count = settings.TRUSTED_PROXY_COUNT
    entries = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    believed = entries[-count] if 0 < count <= len(entries) and entries[-count].strip() else ""
    return _plain(believed or meta.get("REMOTE_ADDR", ""))


def _plain(text: str) -> str:
    """Returns an address without its port. An IPv4-mapped IPv6 address is returned as IPv4. Other texts give ""."""
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
    if parse_networks(settings.BBOSS_ALLOWED_IPS) and not is_among(address, settings.BBOSS_ALLOWED_IPS):
        raise Refused(Code.ADDRESS_REFUSED, hint=f"address {address or 'unknown'} is not in BBOSS_ALLOWED_IPS")


def is_among(address: str, entries: Iterable[str]) -> bool:
    """Returns True if a caller's address is in `entries`, which are addresses and networks (CIDR)."""
    return bool(address) and any(ipaddress.ip_address(address) in network for network in parse_networks(entries))


def check_rate(address: str) -> None:
    """Counts the call. If the caller has used up BBOSS_RATE, raises Refused 20308 without counting the call."""
    rate = parse_rate(settings.BBOSS_RATE)
    if rate and not _counted(callers, caller_of(address), rate):
        raise too_often(f"address {address}: more than {settings.BBOSS_RATE}", rate)


def check_unsigned_rate() -> None:
    """Counts a message without a valid signature. Raises Refused 20308 if the rate is exceeded. All callers share this
    rate, so that they can't fill the disk with stored messages."""
    rate = parse_rate(settings.BBOSS_UNSIGNED_RATE, "BBOSS_UNSIGNED_RATE")
    if rate and not may_store_refused("strangers"):
        raise too_often(f"more than {settings.BBOSS_UNSIGNED_RATE} messages without a right signature", rate)


def may_store_refused(kind: str) -> bool:
    """Counts a refused call of this kind before the call is stored. Returns False if BBOSS_UNSIGNED_RATE is used up."""
    rate = parse_rate(settings.BBOSS_UNSIGNED_RATE, "BBOSS_UNSIGNED_RATE")
    return not rate or _counted(strangers, kind, rate)


def count_refused(address: str) -> None:
    """Counts a call that is refused for a reason other than its rate."""
    with suppress(Refused):
        check_rate(address)


def too_often(hint: str, rate: tuple[int, int]) -> Refused:
    return Refused(Code.TOO_OFTEN, hint=hint, retry_after=rate[1])


def caller_of(address: str) -> str:
    """Returns the key under which calls are counted. The key is the IPv4 address, or the /64 network of an IPv6
    address, because a single caller may have the whole network."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))


@dataclass
class _Bucket:
    """A caller's tokens. A call costs one token. Tokens are restored evenly, up to the number of calls in the rate."""

    tokens: float
    at: float  # monotonic time at which `tokens` was computed


class Buckets:
    """Thread-safe token buckets by caller. A new caller has all tokens.

    A caller that keeps to the rate in every period is never refused. At most twice the rate is admitted in a period.
    Beyond MAX_CALLERS callers, the caller that has been silent for longest is removed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, caller: str, calls: int, seconds: int) -> bool:
        """Spends one of the caller's tokens. If none is left, returns False and spends nothing."""
        with self._lock:
            now = monotonic()
            bucket = self._buckets.setdefault(caller, _Bucket(calls, now))
            self._buckets.move_to_end(caller)
            if len(self._buckets) > MAX_CALLERS:
                self._buckets.popitem(last=False)
            bucket.tokens = min(calls, bucket.tokens + (now - bucket.at) * calls / seconds)
            bucket.at = now
            if bucket.tokens < NEARLY_ONE:
                return False
            bucket.tokens -= 1
            return True

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()


callers = Buckets()
strangers = Buckets()  # by kind of refused call; not in `callers`, where many addresses could remove these buckets


def _counted(buckets: Buckets, caller: str, rate: tuple[int, int]) -> bool:
    """Counts a call. Returns False if the rate is used up. Returns True after an error in our code, because such an
    error must not refuse calls."""
    try:
        return buckets.spend(caller, *rate)
    except Exception:
        logger.exception("a call of %s was not counted", caller or "-")
        return True
