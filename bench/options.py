"""The options of a benchmark: integers, each with a default and optional bounds."""

import argparse
from argparse import Namespace
from typing import Any


def read_options(about: str | None, **numbers: int | tuple[int, int, int]) -> Namespace:
    """Parses an option `--NAME N` for each keyword. The keyword's value is the default, or (default, least, most)."""
    parser = argparse.ArgumentParser(description=about)
    for name, given in numbers.items():
        default, *bounds = given if isinstance(given, tuple) else (given,)
        bounded: dict[str, Any] = {}
        if bounds:
            least, most = bounds
            bounded = {"choices": range(least, most + 1), "metavar": f"{least}-{most}"}
        parser.add_argument(f"--{name}", type=int, default=default, **bounded)
    return parser.parse_args()
