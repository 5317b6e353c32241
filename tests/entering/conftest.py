"""Fixtures for entering trials: members of staff, and a folder of its own for the file of entered numbers."""

import pytest

from orders.attachments.xlsx import answer
from orders.office.trials import workbook
from tests.admin.conftest import books, boss, member  # noqa: F401


@pytest.fixture
def clerk(member):  # noqa: F811
    return member("业务人员")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """Sets ATTACHMENT_DIR to a folder that does not exist yet. It is made when the first number is written."""
    settings.ATTACHMENT_DIR = tmp_path / "files" / "attachments"


@pytest.fixture
def apart():
    """A test with this fixture reads workbooks in the separate process with limits, as in production."""


@pytest.fixture(autouse=True)
def read_here(request, monkeypatch):
    """Reads workbooks in the test's own process unless the test uses `apart`. These workbooks are harmless, and each
    separate process takes a quarter of a second.
    """
    if "apart" not in request.fixturenames:
        monkeypatch.setattr(workbook, "ask", lambda verb, file, most, **how: answer(verb, file, most))
