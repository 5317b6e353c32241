"""Arguments shared by several commands: the actor, days and times."""

import argparse
import datetime
import getpass
import re
from pathlib import Path

from django.core.management.base import CommandError
from django.utils import timezone

from orders.rules.local_time import SHANGHAI

WIRE_DAY = re.compile(r"\d{8}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


def add_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", metavar="NAME", help="who does it (default: the user of this machine)")


def actor(by: str | None) -> str:
    """Returns `command:NAME`; NAME defaults to the OS user, or `unknown` if there is none."""
    return f"command:{(by or '').strip() or os_user()}"


def os_user() -> str:
    """Returns the OS user, regardless of `--by`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown"


def day(text: str) -> datetime.date:
    """Parses YYYY-MM-DD. Other texts give a one-line error of the command line."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day (YYYY-MM-DD)") from error


def wire_day(text: str) -> datetime.date:
    """Parses YYYYMMDD, as in messages. Other texts give a one-line error of the command line."""
    try:
        if not WIRE_DAY.fullmatch(text):
            raise ValueError(text)
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day (YYYYMMDD)") from error


def add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", metavar="F.csv", type=Path, help="a CSV file of the big-data side's records")
    parser.add_argument(
        "--as-of", metavar="MOMENT", type=moment, help="with --file: as of when it is, YYYY-MM-DDTHH:MM, Shanghai"
    )


def check_file(file: Path | None, as_of: datetime.datetime | None) -> None:
    """Raises CommandError unless both or neither are given and the time is not in the future."""
    if (file is None) != (as_of is None):
        raise CommandError("--file and --as-of go together: a file says what was there as of a moment")
    if as_of and as_of > timezone.now():
        raise CommandError("--as-of is ahead: nobody knows yet what will be there")


def moment(text: str) -> datetime.datetime:
    """Parses YYYY-MM-DDTHH:MM in Asia/Shanghai. Other texts give a one-line error of the command line."""
    try:
        if not MOMENT.fullmatch(text):
            raise ValueError(text)
        wall = datetime.datetime.fromisoformat(text)
        return wall.replace(tzinfo=SHANGHAI).astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:  # the first hours of year 1 do not exist in UTC
        raise argparse.ArgumentTypeError(f"{text!r} is no moment (YYYY-MM-DDTHH:MM)") from error
