"""A pytest plugin that records the lines that each test runs, and the failed tests.

LINES_RUN is a folder. It gets a coverage file for each process, and the file `failed`.
"""

import os
from pathlib import Path

import coverage
import pytest

FOLDER = Path(os.environ["LINES_RUN"])


def pytest_configure(config):
    config.lines_run = coverage.Coverage(data_file=FOLDER / "lines", data_suffix=True, branch=False)
    config.lines_run.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.config.lines_run.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report):
    if report.failed:
        with (FOLDER / "failed").open("a") as failed:
            failed.write(f"{report.nodeid}\n")


def pytest_unconfigure(config):
    config.lines_run.stop()
    config.lines_run.save()
