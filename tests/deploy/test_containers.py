"""The image and the compose file have the instructions, accounts, folders, settings and files that they should have."""

import re
import subprocess
import sys

import pytest
import yaml

from project.base.settings_table import TABLE
from tests.first_start.lines import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DESK = {name: row for name, row in COMPOSE["services"].items() if name != "database"}
KNOWN = {"ARG", "FROM", "COPY", "WORKDIR", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "CMD"}
KEYS = {
    *("image", "user", "read_only", "init", "cap_drop", "security_opt", "tmpfs", "volumes", "environment", "restart"),
    *("stop_grace_period", "command", "depends_on", "ports", "healthcheck", "profiles", "shm_size"),
}
DATA, CODE = "/var/lib/ibs", "/srv/ibs/app"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def test_the_image_fetches_nothing_and_is_not_roots():
    found = instructions()
    assert {word for word, _ in found} == KNOWN
    [run] = [rest for word, rest in found if word == "RUN"]
    assert "--no-index --find-links wheels --require-hashes" in run
    assert not re.search(r"\b(apt|curl|wget|git)\b|https?:", run)
    assert [rest for word, rest in found if word == "USER"] == ["10001:10001"]
    assert [rest for word, rest in found if word == "VOLUME"] == [DATA]


def test_the_image_sets_folders_that_its_volume_holds():
    given = dict(pair.split("=") for word, rest in instructions() if word == "ENV" for pair in rest.split())
    folders = {name: path for name, path in given.items() if name in TABLE}
    assert folders.keys() == {"ATTACHMENT_DIR", "EXPORT_DIR", "STATE_DIR"}
    [run] = [rest for word, rest in instructions() if word == "RUN"]
    assert [path for path in folders.values() if not path.startswith(f"{DATA}/") or path not in run] == []


def test_gunicorn_runs_as_in_the_units():
    [command] = [yaml.safe_load(rest) for word, rest in instructions() if word == "CMD"]
    unit = re.search(r"^ExecStart=(.+)$", (DEPLOY / "ibs-web.service").read_text(), re.MULTILINE)[1]
    options = dict(re.findall(r"--([a-z-]+) (\d+)(?= )", unit))
    assert len(options) == 4
    assert dict(re.findall(r"--([a-z-]+) (\d+)(?= |$)", " ".join(command))) == options


def test_each_service_is_locked_up():
    assert DESK.keys() == {"migrate", "intake", "web", "worker"}
    for row in COMPOSE["services"].values():
        assert row.keys() <= KEYS
        assert row["read_only"] is True
        assert all(port.startswith("127.0.0.1:") for port in row.get("ports", []))
    for row in DESK.values():
        assert (row["user"], row["cap_drop"], row["security_opt"]) == (
            "10001:10001",
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert [place.split(":", 1)[1] for place in row["volumes"]] == [f"-/etc/ibs/ibs.env}}:{CODE}/.env:ro", DATA]
        assert row["environment"].keys() <= TABLE.keys()
        assert int(row["stop_grace_period"].removesuffix("s")) >= 40  # like TimeoutStopSec in the units
        assert row is DESK["migrate"] or row["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }
    named = {place.split(":")[0] for row in COMPOSE["services"].values() for place in row["volumes"] if place[0] != "$"}
    assert named == COMPOSE["volumes"].keys()


def test_what_the_services_run_is_there():
    assert [row["command"] for row in DESK.values() if "command" in row] == [
        ["python", "manage.py", "migrate"],
        ["python", "manage.py", "worker"],
    ]
    for name, path in (("intake", "/readyz?for=intake"), ("web", "/livez")):
        assert DESK[name]["healthcheck"]["test"] == ["CMD", "python", "deploy/health.py", path]
    assert (DEPLOY / "health.py").exists()


@pytest.mark.parametrize("status, code", [(200, 0), (503, 1)])
def test_the_health_check_ends_as_the_answer_is(tmp_path, httpserver, status, code):
    httpserver.expect_request("/readyz").respond_with_data("/readyz", status=status)
    script = (DEPLOY / "health.py").read_text().replace(" 8000,", f" {httpserver.port},")
    (tmp_path / "health.py").write_text(script)
    ended = subprocess.run(
        [sys.executable, tmp_path / "health.py", "/readyz"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, f"{status} /readyz\n")
