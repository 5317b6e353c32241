"""`partners`, `partners check [FILE]`, `partners read CALL FILE`: how the partners speak (contract 7.3)."""

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.bpm.reading import BadCallbackError, members_of, read_approval
from integrations.outbound.http import named_charset
from integrations.partners.profile import (
    NAMES,
    Profile,
    ProfileError,
    check_secrets,
    load_profile,
    settings_that_open_a_door,
)
from integrations.partners.samples import samples
from integrations.partners.shown import lines_of_answer, lines_of_call, lines_of_callback

CALLBACK = "bpm.callback"
CALLS = [*NAMES, CALLBACK]
HEAD = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})[^\n]*\n((?:[^\r\n]+\r?\n)*)\r?\n")
TYPE = re.compile(rb"^content-type:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class Command(BaseCommand):
    help = "Shows how each call of the partners is made and read, checks a profile, and reads an answer by it."
    requires_system_checks = []  # it reads files and settings alone

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", metavar="check | read")
        check = what.add_parser("check", help="is the file right, and what goes out under it")
        check.add_argument("file", nargs="?", metavar="FILE", help="a profile; the one of PARTNERS_FILE unless given")
        read = what.add_parser("read", help="how an answer, or a callback, would be read; nothing is stored")
        read.add_argument("call", metavar="CALL", help=", ".join(CALLS))
        read.add_argument("file", metavar="FILE", help="the body, or all of the answer from its line HTTP/1.1 on")
        read.add_argument("--status", type=int, default=200, help="the answer's HTTP status; 200 unless given")

    def handle(self, *args, what: str | None, **options) -> None:
        if what == "check":
            lines = self.check_profile(options["file"] or settings.PARTNERS_FILE)
        elif what == "read":
            lines = self.read(options["call"], options["file"], options["status"])
        else:
            lines = self.show(settings.PARTNERS)
        for line in lines:
            self.stdout.write(line)

    def show(self, profile: Profile) -> Iterator[str]:
        yield f"profile: {settings.PARTNERS_FILE or 'none, so the defaults'}"
        for name in NAMES:
            yield from ("", *lines_of_call(profile, name))
        yield from ("", *lines_of_callback(profile))

    def check_profile(self, file: str) -> Iterator[str]:
        try:
            profile = load_profile(file)
            check_secrets(profile, os.environ)
        except ProfileError as error:
            raise CommandError(str(error)) from error
        why = settings_that_open_a_door(
            profile,
            bboss_ips=settings.BBOSS_ALLOWED_IPS,
            bpm_ips=settings.BPM_ALLOWED_IPS,
            proxies=settings.TRUSTED_PROXY_COUNT,
        )
        if why:
            raise CommandError(f"{file}: {why}")
        yield f"{file or 'no PARTNERS_FILE, so the defaults'}: right"
        for (name, usual), (_name, own) in zip(samples(Profile()), samples(profile), strict=True):
            yield from ("", f"{name}: {'as by default' if own == usual else 'other than by default'}")
            yield from [own] if own == usual else [f"by default: {usual}", f"now: {own}"]

    def read(self, call: str, file: str, status: int) -> Iterator[str]:
        if call not in CALLS:
            raise CommandError(f"{call}: no such call; {', '.join(CALLS)}")
        try:
            raw = Path(file).read_bytes()
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        if call == CALLBACK:
            yield from self.read_callback(raw)
            return
        charset = ""
        if found := HEAD.match(raw):
            status, raw, kind = int(found[1]), raw[found.end() :], TYPE.search(found[2])
            charset = named_charset(kind[1].decode("latin-1") if kind else None)
        yield from lines_of_answer(settings.PARTNERS, call, status=status, raw=raw, charset=charset)

    def read_callback(self, raw: bytes) -> Iterator[str]:
        try:
            said = read_approval(members_of(raw))
        except BadCallbackError as error:
            yield "read as: refused, HTTP 400"
            yield f"because: {error}"
            return
        about = f"process {said.process}" if said.process else f"order {said.number}"
        yield f"read as: a callback about {about}; who sent it is not checked here"
        for name, value in said.record.items():
            yield f"{name}: {value.isoformat() if name == 'time' else value}"
