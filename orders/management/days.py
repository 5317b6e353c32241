"""A day as an argument of a command."""

import argparse
import datetime


def day(text: str) -> datetime.date:
    """YYYY-MM-DD; what is none is an error of the command line, told in one line."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day (YYYY-MM-DD)") from error
