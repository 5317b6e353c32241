"""Who may call, and how often (contract 2.3, codes 20303 and 20308; settings BBOSS_ALLOWED_IPS and BBOSS_RATE)."""

import datetime
import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings

from integrations.bboss.codes import Code, Refused
from orders.models import InboundMessage

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*([a-z]+)")
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=8)
def parse_rate(text: str) -> tuple[int, int] | None:
    """`600/min` as (calls, seconds); None for an empty text: no limit. Raises ValueError naming BBOSS_RATE."""
    if not text.strip():
        return None
    match = _RATE.fullmatch(text.strip().lower())
    if not match or match.group(2) not in SECONDS or not int(match.group(1)):
        raise ValueError(f"BBOSS_RATE must be like 600/min, 10/s or 1000/hour, or empty, not {text!r}")
    return int(match.group(1)), SECONDS[match.group(2)]


def parse_networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks (CIDR). Raises ValueError naming BBOSS_ALLOWED_IPS."""
    return _parse_networks(tuple(entries))


@lru_cache(maxsize=8)
def _parse_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(entry.strip()) for entry in entries if entry.strip())
    except ValueError as error:
        raise ValueError(f"BBOSS_ALLOWED_IPS: {error}") from None


def caller_address(meta: dict) -> str:
    """The caller's address, "" if there is none.

    Behind N proxies of ours (TRUSTED_PROXY_COUNT) the N-th entry of X-Forwarded-For from its end was written by the
    outermost of them; what stands before it is the caller's own claim. A shorter list did not come through them all.
    """
    count = settings.TRUSTED_PROXY_COUNT
    entries = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    believed = entries[-count] if 0 < count <= len(entries) and entries[-count].strip() else ""
    return _plain(believed or meta.get("REMOTE_ADDR", ""))


def _plain(text: str) -> str:
    """One spelling for one address: no port, no IPv4 dressed as IPv6. "" for what is no address."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match.group(1) or match.group(2)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)[:64]


def check_address(address: str) -> None:
    """Raises Refused 20303 where a list is set and the address is not in it."""
    networks = parse_networks(settings.BBOSS_ALLOWED_IPS)
    if not networks:
        return
    if not address or not any(ipaddress.ip_address(address) in network for network in networks):
        raise Refused(Code.ADDRESS_REFUSED, hint=f"address {address or 'unknown'} is not in BBOSS_ALLOWED_IPS")


def check_rate(address: str, now: datetime.datetime) -> None:
    """Raises Refused 20308 when this address already sent as many messages as BBOSS_RATE allows.

    Counts the messages that are kept anyway: right across processes and machines, without another write.
    """
    rate = parse_rate(settings.BBOSS_RATE)
    if rate is None:
        return
    calls, seconds = rate
    since = now - datetime.timedelta(seconds=seconds)
    recent = InboundMessage.objects.filter(remote_address=address, received_at__gt=since).order_by()
    if recent.values("pk")[:calls].count() >= calls:
        raise Refused(Code.TOO_OFTEN, hint=f"address {address}: more than {settings.BBOSS_RATE}")
