"""Fixtures for the whole suite. Nothing here reaches further than this machine's loopback."""

import datetime
import json
import pathlib

import pytest
import time_machine

from tests.fakes import RunningSandbox
from tests.flushing import flush_passes_the_guard, reference_data_after_a_flush  # noqa: F401  for the whole suite

HERE = pathlib.Path(__file__).parent
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def shanghai(text: str) -> datetime.datetime:
    """`2023-09-20 18:54:36` as an aware time in Asia/Shanghai."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture
def clock():
    """The clock stands at case 1's moment; `clock.move_to(...)` and `clock.shift(seconds)` move it."""
    with time_machine.travel(shanghai("2023-09-20 18:54:36"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def case():
    """`case(1)`: an acceptance case as a dict."""
    return lambda number: json.loads((HERE / "cases" / f"case{number}.json").read_text())


@pytest.fixture(scope="session")
def sandbox_server():
    """One sandbox for the whole run; ask for `sandbox` instead, which is emptied for each test."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_server, settings):
    """The partners' stand-in, empty, with the settings pointing at it."""
    sandbox_server.reset()
    settings.BIGDATA_BASE_URL = sandbox_server.bigdata_url
    settings.BPM_BASE_URL = sandbox_server.bpm_url
    return sandbox_server
