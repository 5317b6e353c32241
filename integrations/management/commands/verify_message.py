"""`manage.py verify_message FILE`: checks a raw message of BBOSS as the desk would (contract 7.3).

No page can do this later, because the desk stores only masked bodies. The file comes from a colleague or from nginx's
log.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.base.old_secrets import APP_SECRET
from integrations.base.strict_json import GENERAL_BOUNDS, MAX_BODY_BYTES, BadJsonError, content_type_in
from integrations.bboss import envelope_checks
from integrations.bboss.compute_signature import SORTED, masked_text_to_sign, verify
from integrations.bboss.message_decoding import FORM, JSON, Wire, check_type, content_in, ours, parsed, text_in
from integrations.bboss.order_fields import content_of, is_withdrawal, read_order, read_withdrawal
from integrations.bboss.reply_codes import Code, Refused
from integrations.bboss.signing_variants import Found, digest_of, find_variant
from integrations.partners.profile import Bboss

HEAD = re.compile(rb"\A(?:[A-Z]+ \S+ HTTP/[\d.]+\r?\n)?((?:[A-Za-z0-9-]+:[^\n]*\n)*)\r?\n")
ESCAPED = re.compile(rb"\\x([0-9A-Fa-f]{2})")
CHARSETS = ("utf-8", "gb18030")  # tried if the profile's charsets do not fit
LEAST = 6  # characters; a shorter secret is not masked, because it would match other text


class Command(BaseCommand):
    help = "Says of a raw message of BBOSS what each check makes of it, and how it is signed."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE", help="the body, with or without HTTP headers, or as nginx logs it")

    def handle(self, *, file, **options):
        try:
            raw = Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        how = settings.PARTNERS.bboss
        header, body = _opened(raw)
        self.say("content type", lambda: check_type(header, how) if header else _no_content_type())
        self.say("size", lambda: _check_size(body))
        wire = self.wire(body, header or (FORM if b"{" not in body[:200] else JSON), how)
        self.verify(wire, how)

    def print(self, line: str) -> None:
        """Prints a line with all our secrets and tokens masked."""
        for secret in [*_secrets().values(), *settings.BBOSS_ACCESS_TOKENS]:
            if len(secret) >= LEAST:
                line = line.replace(secret, envelope_checks.MASK)
        self.stdout.write(envelope_checks.TOKEN_PATTERN.sub(envelope_checks.MASK, line))

    def say(self, what: str, check: Callable[[], Any]) -> bool:
        """Runs a check and prints its result. Returns True if it passed."""
        try:
            self.print(f"{what}: {check() or 'ok'}")
        except Refused as refusal:
            self.print(f"{what}: {refusal.code.value.number} {refusal.desc.strip()}; {refusal.hint}")
            return False
        return True

    def wire(self, body: bytes, header: str, how: Bboss) -> Wire:
        """Returns the parsed message. If the profile can't read the message, tries other types and charsets. If the
        message is unreadable, raises CommandError."""
        found: list[Wire] = []

        def read() -> None:
            try:
                text, charset = text_in(body, header, how)
                found.append(Wire(parsed(text, GENERAL_BOUNDS, how), text, charset))
            except BadJsonError as error:
                raise Refused(Code.UNREADABLE, hint=str(error)) from None

        if not self.say("body", read):
            found = [*_guessed(body)]
            if not found:
                raise CommandError("nobody can read this body, so nothing else can be said of it")
            self.print(f"  it reads as {found[0].charset}; what follows is about that (content_types, charsets)")
        return found[0]

    def verify(self, wire: Wire, how: Bboss) -> None:
        now, members = timezone.now(), wire.members
        try:
            members = ours(wire.members, how)
        except Refused as refusal:
            self.print(f"names: {refusal.code.value.number} {refusal.desc}")
        signed = True
        for check in envelope_checks.CHECKS:
            name = check.__name__.removeprefix("check_").replace("_", " ")
            if check is envelope_checks.check_signature:
                signed = self.say(name, lambda: self.signature(members, wire, how))
                continue
            self.say(name, lambda check=check: _tried(lambda: check(members, now, wire)))
        self.say("content", lambda: _tried(lambda: _read(members, wire, how)))
        if not signed:
            self.print_variant(members, wire, how)

    def signature(self, members: dict, wire: Wire, how: Bboss) -> str:
        given, secrets = members.get("sign"), _secrets()
        if isinstance(given, str):
            for name, secret in secrets.items():
                if verify(wire, given, secret, how):
                    return f"ok, by {name}"
        text = masked_text_to_sign(wire, how)[: envelope_checks.LONGEST_HINT]
        raise Refused(Code.SIGNATURE, hint=f"the text that we signed is: {text}")

    def print_variant(self, members: dict, wire: Wire, how: Bboss) -> None:
        given, secrets = members.get("sign"), _secrets()
        if not isinstance(given, str) or not digest_of(given)[0]:
            self.print("the sign is neither hex nor base64: no way makes it right")
            return
        method = members.get("signMethod")
        declared = method.lower() if isinstance(method, str) else ""
        found = find_variant(wire, given, list(secrets.values()), how, declared) if secrets else None
        if found is None:
            names = ", ".join(secrets) or "no secret: BBOSS_APP_SECRET is empty"
            self.print(f"no known way makes the sign right with {names}: ask for the text that they sign")
        elif found.method != declared:
            self.print(f"it is {found.method}, as below, but signMethod says otherwise, so no profile takes it")
            self.print("; ".join(found.lines()[1:]))
        else:
            self.print_profile(found, list(secrets)[found.secret], wire, how)

    def print_profile(self, found: Found, secret: str, wire: Wire, how: Bboss) -> None:
        if missing := found.missing(wire, how):
            self.print(f"WARNING: {', '.join(missing)} would be outside the sign: whoever sits between can change it,")
            self.print("and with production data check --deploy refuses this. Ask for a sign of the whole message.")
        if found.sign.order != SORTED:
            self.print("The order lists this message's members: look whether others have more.")
        self.print(f"The sign is right by {secret} with these lines, in place of those for the sign in PARTNERS_FILE:")
        self.print("")
        for line in found.lines():
            self.stdout.write(line)  # unmasked: the line works only if complete


def _secrets() -> dict[str, str]:
    old = {f"{APP_SECRET.old}, number {place}": one for place, one in enumerate(APP_SECRET.old_values(), 1)}
    return {name: one for name, one in ({APP_SECRET.setting: APP_SECRET.current()} | old).items() if one}


def _opened(raw: bytes) -> tuple[str, bytes]:
    """Returns the Content-Type (or "") and the body in the file. The body may follow HTTP headers. It may also be
    escaped as in nginx's log."""
    head, header = HEAD.match(raw), ""
    if head and head[1]:
        header, raw = content_type_in(head[1]), raw[head.end() :]
    body = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if ESCAPED.search(body) and b'"' not in body.strip(b'"'):  # nginx escapes every quotation mark
        body = ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), body).strip(b'"')
    elif body.strip(b'"').startswith(b'{\\"'):  # nginx with escape=json
        with contextlib.suppress(ValueError):
            body = json.loads(b'"' + body.strip(b'"') + b'"').encode()
    return header, body


def _no_content_type() -> str:
    return "not told by the file"


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise Refused(Code.TOO_LARGE, hint=f"{len(body)} bytes")


def _guessed(body: bytes) -> Iterator[Wire]:
    """Yields possible readings of the body that do not depend on the profile. Such a reading is JSON or a member of a
    form, in one of CHARSETS."""
    parts = [] if body.startswith(b"{") else body.split(b"&")
    names = [part.partition(b"=")[0].decode("latin-1") for part in parts] or [""]
    for charset, name in itertools.product(CHARSETS, names):
        try:
            text, _ = text_in(body, FORM if name else JSON, Bboss(form_member=name, charsets=(charset,)))
            yield Wire(parsed(text, GENERAL_BOUNDS, Bboss()), text, charset)
        except BadJsonError:
            continue


def _tried(check: Callable[[], None]) -> str:
    try:
        check()
    except (KeyError, TypeError):
        return "not looked at, since a member is missing"
    return ""


def _read(members: dict, wire: Wire, how: Bboss) -> None:
    content = content_in(wire.members, content_of(members), how)
    read_withdrawal(content) if is_withdrawal(content) else read_order(content)
