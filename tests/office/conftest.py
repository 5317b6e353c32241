"""Exports in a folder of the test, read back; bulk runs that no request carries out."""

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
    """A clerk with a mail address. `owner.again()` signs them in anew after somebody else."""
    client = member("业务人员")
    person = client.person
    person.email, person.display_name = "owner@example.com", "王五"
    person.save()
    client.again = lambda: client.force_login(person)
    return client


@pytest.fixture
def row(owner):
    """A scheduled export of the owner's."""
    return made(owner)


@pytest.fixture
def slow(monkeypatch):
    """No bulk run is so short that a request carries it out."""
    monkeypatch.setattr(bulk_page, "MAX_ROWS_AT_ONCE", 0)


def read_xlsx(file):
    """The first sheet as a list of dicts by header."""
    header, *rows = openpyxl.load_workbook(file).active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def body(response):
    return io.BytesIO(b"".join(response.streaming_content))
