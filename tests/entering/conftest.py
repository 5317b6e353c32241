"""Staff, and what the big-data side answers them."""

import pytest

from tests.admin.conftest import books, boss, member  # noqa: F401


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    """ATTACHMENT_DIR, which is made when the first number is written into it."""
    settings.ATTACHMENT_DIR = tmp_path / "files" / "attachments"
