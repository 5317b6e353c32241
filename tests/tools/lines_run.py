"""A plugin of pytest: notes for each test the lines that it runs, and the tests that fail.

LINES_RUN names the folder for coverage's files, one a process, and `failed`.
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
