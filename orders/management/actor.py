"""Who gave a command: the actor that events and approval records name."""

import getpass
from argparse import ArgumentParser


def add_by(parser: ArgumentParser) -> None:
    parser.add_argument("--by", metavar="NAME", help="who does it (default: the user of this machine)")


def actor(by: str | None) -> str:
    """`command:NAME`; NAME is the OS user unless given, `unknown` where the machine knows none."""
    return f"command:{(by or '').strip() or _os_user()}"


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown"
