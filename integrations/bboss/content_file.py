"""Reads and signs a content file for the commands `sign_message` and `send_order` (contract section 5)."""

import pathlib

from django.core.management.base import CommandError
from django.utils import timezone

from integrations.bboss.sample_envelope import SigningError, signed_envelope
from integrations.inbound.body import BadJsonError, parse_bytes


def add_arguments(parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a JSON file that holds the message's content")
    parser.add_argument("--trans-ido", help="the caller's transaction number; a new one unless given")
    parser.add_argument("--cut-off-day", help="YYYYMMDD; today unless given")


def envelope_of(options: dict) -> dict:
    """The signed envelope around the file's content. Raises CommandError with one clear line."""
    content = _content(options["file"])
    given = {"cutOffDay": options["cut_off_day"]} if options["cut_off_day"] else {}
    try:
        return signed_envelope(content, now=timezone.now(), trans_ido=options["trans_ido"], overrides=given)
    except SigningError as error:
        raise CommandError(str(error)) from error


def _content(path: str) -> dict:
    try:
        return parse_bytes(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except BadJsonError as error:
        raise CommandError(f"{path} is no message content: {error}") from error
