"""Staff, and what the big-data side answers them."""

import pytest

from orders.attachments.xlsx import answer
from orders.office.trials import workbook
from tests.admin.conftest import books, boss, member  # noqa: F401


@pytest.fixture
def clerk(member):  # noqa: F811
    return member("业务人员")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """ATTACHMENT_DIR, which is made when the first number is written into it."""
    settings.ATTACHMENT_DIR = tmp_path / "files" / "attachments"


@pytest.fixture
def apart():
    """The test's workbooks are read by the process with limits, as in production."""


@pytest.fixture(autouse=True)
def read_here(request, monkeypatch):
    """Other tests' workbooks are harmless, and each such process takes a quarter of a second."""
    if "apart" not in request.fixturenames:
        monkeypatch.setattr(workbook, "ask", lambda verb, file, most, **how: answer(verb, file, most))
