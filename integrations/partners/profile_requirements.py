"""Checks a profile against environment and settings (contract 7.4). The secrets that the profile names must be set. The
profile must not admit every caller.

The functions are pure: environment and settings are arguments.
"""

import codecs
import contextlib
import ipaddress
import re
from collections.abc import Mapping, Sequence

from integrations.partners.profile import CALLS, FROM_ENVIRONMENT, KEY, VALUE, Profile, ProfileError


def why_no_start(
    profile: Profile,
    *,
    bboss_ips: Sequence[str],
    bpm_ips: Sequence[str],
    proxies: int,
    environment: Mapping[str, str],
) -> str:
    """Returns the reason why no process may start with this profile and these settings. If a process may start, returns
    ""."""
    try:
        check_secrets(profile, environment)
    except ProfileError as error:
        return str(error)
    return why_open_to_all(profile, bboss_ips=bboss_ips, bpm_ips=bpm_ips, proxies=proxies)


def why_open_to_all(profile: Profile, *, bboss_ips: Sequence[str], bpm_ips: Sequence[str], proxies: int) -> str:
    """Returns the reason why this profile would admit every caller with these settings (contract 7.4), or ""."""
    if profile.bboss.token.check == "none" and _is_open(bboss_ips):
        return 'bboss.token.check: "none" needs BBOSS_ALLOWED_IPS, or anybody may post'
    if profile.bpm.callback.check == "addresses":
        if _is_open(bpm_ips):
            return 'bpm.callback.check: "addresses" needs BPM_ALLOWED_IPS, or anybody may approve'
        if proxies == 0 and any(one.is_loopback for one in _networks(bpm_ips)):
            return 'bpm.callback.check: "addresses" with loopback in BPM_ALLOWED_IPS needs TRUSTED_PROXY_COUNT'
    return ""


def _is_open(entries: Sequence[str]) -> bool:
    """Returns True if the addresses and networks in `entries` include every caller."""
    return not entries or any(one.prefixlen == 0 for one in _networks(entries))


def _networks(entries: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Returns the entries as networks. Ignores invalid entries, which `check` reports (desk.003)."""
    found = []
    for entry in entries:
        with contextlib.suppress(ValueError):
            found.append(ipaddress.ip_network(entry.strip(), strict=False))
    return found


def faults_in_production(profile: Profile) -> list[str]:
    """Returns the values that are not allowed with production data (contract 7.4)."""
    sign, bboss, found = profile.bboss.sign, profile.bboss, []
    for name in ("content", "timeStamp", "transIDO"):
        if sign.order != "sorted" and not {name, bboss.theirs.get(name, name)} & {*sign.order}:
            found.append(f"bboss.sign.order: {name} is outside the sign, so anybody may change it on the way")
    if KEY not in sign.pair and not (sign.between or sign.pair.replace(VALUE, "")):
        found.append("bboss.sign.pair: values alone with nothing between: two messages may have one sign")
    if profile.bpm.callback.check != "hmac":
        found.append("bpm.callback.check: not hmac, and an approval is money")
    charsets = [codecs.lookup(name).name for name in bboss.charsets]
    if charsets[0] != "utf-8" and "utf-8" in charsets:
        found.append(f"bboss.charsets: {bboss.charsets[0]} before utf-8 reads UTF-8 as other characters")
    return found


def secrets_named(text: str) -> list[str]:
    """Returns the names of the environment variables in a text of the profile."""
    return FROM_ENVIRONMENT.findall(text)


def filled(text: str, environment: Mapping[str, str]) -> str:
    """Returns the text with each `${NAME}` replaced by the environment variable of that name. If a variable is not set,
    raises ProfileError."""

    def value_of(found: re.Match) -> str:
        if not (value := environment.get(found[1], "")):
            raise ProfileError(f"{found[1]} is not set in the environment, and the profile names it")
        return value

    return FROM_ENVIRONMENT.sub(value_of, text)


def check_secrets(profile: Profile, environment: Mapping[str, str]) -> None:
    """Raises ProfileError if headers or paths contain a `${NAME}` that is not in the environment."""
    for text in _may_name_secrets(profile):
        filled(text, environment)


def values_of_secrets(profile: Profile, environment: Mapping[str, str]) -> list[str]:
    """Returns the values that the profile takes from the environment, longest first."""
    names = {name for text in _may_name_secrets(profile) for name in secrets_named(text)}
    return sorted({environment.get(name, "") for name in names} - {""}, key=len, reverse=True)


def _may_name_secrets(profile: Profile) -> list[str]:
    paths = [getattr(getattr(profile, partner), call).path for partner, calls in CALLS.items() for call in calls]
    return [*profile.bigdata.headers.values(), *profile.bpm.headers.values(), *paths]
