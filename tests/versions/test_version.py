"""The version number is in one place, and everything that shows the number reads it there."""

import logging
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import django
import pytest
from django.core.management import call_command

from project import __version__

ROOT = Path(__file__).resolve().parents[2]


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs a command in a separate process that has only these environment variables."""
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_project_file_has_no_number_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "project.__version__"}
    assert "version" not in project["project"]


def test_the_changelog_tells_this_version_first():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert re.fullmatch(re.escape(__version__) + r" \(\d{4}-\d\d-\d\d\)", released[0])


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_command_answers_without_settings_or_database(word):
    ended = manage(word, DATABASE_URL="nonsense")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"IBS Order Desk {__version__}",
        f"Django {django.get_version()}",
        f"Python {platform.python_version()}",
    ]


def test_the_command_is_found_by_its_name(capsys):
    call_command("version")
    assert capsys.readouterr().out.startswith(f"IBS Order Desk {__version__}\n")


def test_livez_tells_it_in_a_header_and_still_answers_ok(client):
    answer = client.get("/livez")
    assert (answer.status_code, answer.content, answer["X-Version"]) == (200, b"ok", __version__)


@pytest.mark.django_db
def test_metrics_tell_it(client):
    assert f'desk_build_info{{version="{__version__}"}} 1.0' in client.get("/metrics").content.decode().splitlines()


def test_the_schema_tells_it(client):
    assert client.get("/api/schema?format=json").json()["info"]["version"] == __version__


def test_the_worker_logs_it_at_its_start(caplog, monkeypatch, capfd, settings):
    """The worker logs its version at its start. Nothing is printed outside the log, not even a warning of a check.

    So each line has the form of LOG_FORMAT.
    """
    settings.DEFAULT_CONTACT_MAIL = ""
    monkeypatch.setattr("integrations.management.commands.worker.make_schedules", lambda: None)
    monkeypatch.setattr("integrations.management.commands.worker.Watchdog.run", lambda self: None)
    with caplog.at_level(logging.INFO):
        call_command("worker")
    assert caplog.messages[0] == f"worker starts: IBS Order Desk {__version__}"
    assert any("(desk.009) DEFAULT_CONTACT_MAIL is empty" in message for message in caplog.messages)
    printed = capfd.readouterr()
    assert (printed.out, "System check" in printed.err) == ("", False)


@pytest.mark.whole
def test_the_web_process_logs_it_at_its_start():
    ended = subprocess.run(
        [sys.executable, "-c", "import project.wsgi"],
        env={"DEBUG": "true", "DATABASE_URL": "sqlite://:memory:"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert f"web starts: IBS Order Desk {__version__}" in ended.stderr
