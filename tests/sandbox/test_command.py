"""`manage.py sandbox` as a real process."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
import requests

from tests.partners.certificates import Authority
from tests.sandbox.bodies import DONE, PUT, RECORD, post, records

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.processes


class Process:
    """A started `sandbox` command; `url` is read from its line."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        command = [sys.executable, "manage.py", "sandbox", *arguments]
        self.run = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        line = self.run.stdout.readline()
        assert re.fullmatch(r"sandbox listens on https?://127\.0\.0\.1:\d+\n", line), line + self.run.stderr.read()
        self.url = line.split()[-1]
        return self

    def __exit__(self, *error):
        self.run.kill()
        self.run.communicate()

    def end(self, number: int) -> tuple[int, str]:
        self.run.send_signal(number)
        _, errors = self.run.communicate(timeout=10)
        return self.run.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_cleanly(number):
    with Process("--port", "0") as process:
        assert post(process, PUT, records()).json() == DONE
        assert process.end(number) == (0, "")


def test_it_speaks_https_and_demands_a_certificate(tmp_path):
    authority = Authority(tmp_path)
    tls = ("--tls", authority.issue("127.0.0.1"), "--client-ca", authority.bundle)
    with Process("--port", "0", *tls) as process:
        url = f"{process.url}/state"
        assert requests.get(url, verify=authority.bundle, cert=authority.issue("ibs"), timeout=5).ok
        with pytest.raises(requests.ConnectionError):
            requests.get(url, verify=authority.bundle, timeout=5)
        assert process.end(signal.SIGTERM) == (0, "")


def test_a_killed_one_keeps_its_state_file(tmp_path):
    arguments = ("--port", "0", "--state", str(tmp_path / "state.sqlite3"))
    with Process(*arguments) as process:
        post(process, PUT, records(), key="k")
        process.end(signal.SIGKILL)
    with Process(*arguments) as process:
        assert requests.get(f"{process.url}/state", timeout=5).json()["records"] == [RECORD]
        assert post(process, PUT, records({"infoType": "1"}), key="k").status_code == 409


def refused(*arguments: str) -> str:
    process = Process(*arguments)
    _, errors = process.run.communicate(timeout=20)
    assert process.run.returncode == 1
    assert len(errors.splitlines()) == 1
    return errors


def test_a_port_in_use_is_told(sandbox):
    port = sandbox.url.rpartition(":")[2]
    assert f"cannot listen on 127.0.0.1:{port}: " in refused("--port", port)


def test_a_bad_port_or_state_file_is_told(tmp_path):
    assert "cannot listen on 127.0.0.1:70000" in refused("--port", "70000")
    (tmp_path / "text").write_text("not a database, only some words that fill a page" * 20)
    assert "cannot use the state file" in refused("--port", "0", "--state", str(tmp_path / "text"))
