"""`manage.py sandbox` as a real process."""

import pathlib
import re
import signal

import pytest
import requests

from tests.harness.children import Children
from tests.partners.certificates import Authority
from tests.sandbox.bodies import DONE, PUT, RECORD, post, records

pytestmark = pytest.mark.processes


class Process(Children):
    """A process that runs the command `sandbox`. `url` is read from the line that it prints."""

    def __init__(self, folder: pathlib.Path, *words: str) -> None:
        super().__init__(folder)
        (folder / "sandbox.log").unlink(missing_ok=True)
        self.process = self.start("sandbox", "manage.py", "sandbox", *words, DJANGO_SETTINGS_MODULE="tests.settings")

    def __enter__(self):
        self.until(lambda: "\n" in self.log("sandbox"))
        line = self.log("sandbox")
        assert re.fullmatch(r"sandbox listens on https?://127\.0\.0\.1:\d+\n", line), line
        self.url = line.split()[-1]
        return self

    def end(self, number: int) -> tuple[int, str]:
        """Ends the process by a signal. Returns its exit code, and its output after the first line."""
        self.process.send_signal(number)
        return self.process.wait(10), self.log("sandbox").partition("\n")[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_cleanly(tmp_path, number):
    with Process(tmp_path, "--port", "0") as process:
        assert post(process, PUT, records()).json() == DONE
        assert process.end(number) == (0, "")


def test_it_speaks_https_and_demands_a_certificate(tmp_path):
    authority = Authority(tmp_path)
    tls = ("--tls", authority.issue("127.0.0.1"), "--client-ca", authority.bundle)
    with Process(tmp_path, "--port", "0", *tls) as process:
        url = f"{process.url}/state"
        assert requests.get(url, verify=authority.bundle, cert=authority.issue("ibs"), timeout=5).ok
        with pytest.raises(requests.ConnectionError):
            requests.get(url, verify=authority.bundle, timeout=5)
        assert process.end(signal.SIGTERM) == (0, "")


def test_a_killed_one_keeps_its_state_file(tmp_path):
    arguments = ("--port", "0", "--state", str(tmp_path / "state.sqlite3"))
    with Process(tmp_path, *arguments) as process:
        post(process, PUT, records(), key="k")
        process.end(signal.SIGKILL)
    with Process(tmp_path, *arguments) as process:
        assert requests.get(f"{process.url}/state", timeout=5).json()["records"] == [RECORD]
        assert post(process, PUT, records({"infoType": "1"}), key="k").status_code == 409


def refused(folder: pathlib.Path, *words: str) -> str:
    process = Process(folder, *words)
    assert process.process.wait(60) == 1
    [line] = process.log("sandbox").splitlines()
    return line


def test_a_port_in_use_is_told(sandbox, tmp_path):
    port = sandbox.url.rpartition(":")[2]
    assert f"cannot listen on 127.0.0.1:{port}: " in refused(tmp_path, "--port", port)


def test_a_bad_port_or_state_file_is_told(tmp_path):
    assert "cannot listen on 127.0.0.1:70000" in refused(tmp_path, "--port", "70000")
    (tmp_path / "text").write_text("not a database, only some words that fill a page" * 20)
    assert "cannot use the state file" in refused(tmp_path, "--port", "0", "--state", str(tmp_path / "text"))


def test_it_speaks_by_a_profile(tmp_path):
    (tmp_path / "theirs.toml").write_text('[bigdata]\npost.path = "/v2"\nanswer.success = [{ ok = [true] }]')
    with Process(tmp_path, "--port", "0", "--profile", str(tmp_path / "theirs.toml")) as process:
        assert post(process, "/bigdata/v2", records()).json() == {"ok": True, "message": "成功"}
        assert post(process, PUT, records()).status_code == 404


def test_a_wrong_profile_is_told(tmp_path, monkeypatch):
    (tmp_path / "wrong.toml").write_text('[bpm]\nstart.pth = "/x"')
    (tmp_path / "secret.toml").write_text('[bpm]\nheaders = { X-Token = "${NOT_SET_ANYWHERE}" }')
    assert "bpm.start.pth: no such key" in refused(tmp_path, "--profile", str(tmp_path / "wrong.toml"))
    assert "NOT_SET_ANYWHERE is not set" in refused(tmp_path, "--profile", str(tmp_path / "secret.toml"))
