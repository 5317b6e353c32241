"""Fixtures for exports and bulk runs. Exports are written to a folder of the test and read back. Bulk runs can be left
to a worker.
"""

import csv
import io

import openpyxl
import pytest

from orders.office.bulk import page as bulk_page
from tests.admin.conftest import member  # noqa: F401  a fixture
from tests.office.scheduling import made


@pytest.fixture(autouse=True)
def export_dir(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path / "exports"
    return settings.EXPORT_DIR


@pytest.fixture
def site(settings):
    settings.SITE_URL = "https://desk.example.com"


@pytest.fixture
def staff(member):  # noqa: F811
    return member("业务人员")


@pytest.fixture
def owner(member):  # noqa: F811
    """A clerk with a mail address. `owner.again()` logs them in again after the client has been somebody else."""
    client = member("业务人员")
    person = client.person
    person.email, person.display_name = "owner@example.com", "王五"
    person.save()
    client.again = lambda: client.force_login(person)
    return client


@pytest.fixture
def row(owner):
    """A scheduled export that belongs to the owner."""
    return made(owner)


@pytest.fixture
def slow(monkeypatch):
    """No bulk run is short enough to be carried out within the request, so each waits for a worker."""
    monkeypatch.setattr(bulk_page, "MAX_ROWS_AT_ONCE", 0)


def read_xlsx(file):
    """Returns the rows of the first sheet as dicts by header."""
    header, *rows = openpyxl.load_workbook(file).active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def body(response):
    return io.BytesIO(b"".join(response.streaming_content))
