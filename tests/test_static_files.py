"""Static files have names with hashes once they are collected. Before that, they are served directly from the apps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "tests", "bench", "docs", "staticfiles")
ASK = """
import re
from django.core.wsgi import get_wsgi_application
from django.test import Client
get_wsgi_application()
client = Client(SERVER_NAME="127.0.0.1")
page = client.get("/api/docs")
print(page.status_code)
for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.content.decode()):
    print(client.get(address).status_code, address)
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of the code as git has it, without generated files."""
    return shutil.copytree(ROOT, tmp_path / "checkout", ignore=NOT_COPIED)


def python(checkout: Path, *words: str) -> str:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings", "DEBUG": "false"}
    call = [sys.executable, *words]
    ended = subprocess.run(call, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def asked(checkout: Path) -> tuple[str, list[str]]:
    """Returns the page's status, and the status and address of each file that the page names."""
    page, *files = python(checkout, "-c", ASK).splitlines()
    return page, files


def test_the_first_collectstatic_of_a_checkout_serves_hashed_names(checkout):
    python(checkout, "manage.py", "collectstatic", "--noinput")
    page, files = asked(checkout)
    assert page == "200"
    assert files
    for file in files:
        status, address = file.split()
        assert status == "200", file
        assert len(address.rsplit(".", 2)[1]) == 12, f"{address} has no hash in its name"


def test_without_collectstatic_they_come_from_the_apps(checkout):
    (checkout / "staticfiles").mkdir()  # an empty folder does not count as collected files
    page, files = asked(checkout)
    assert page == "200"
    assert files
    assert all(file.startswith("200 ") for file in files)
