"""Parses addresses and networks in settings."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(entry: str) -> Network:
    """Returns the network of `10.0.0.5` or `10.0.0.0/8`. Raises ValueError for other texts, and if host bits are
    set."""
    return ipaddress.ip_network(entry.strip())


def is_allowed(address: str, entries: Iterable[str]) -> bool:
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer  # ::ffff:10.0.0.5 on a dual-stack socket
    return any(peer in parse_network(entry) for entry in entries)


def is_loopback(host: str) -> bool:
    """Returns True if the host is `localhost` or a loopback address. Resolves no names."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
