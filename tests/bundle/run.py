"""`python -m tests.bundle.run`: makes a bundle, installs it by the three commands of deploy/README.md, and has an
order carried out.

Everything after making the bundle runs in a separate network with only a loopback, if this machine allows one (root on
Linux). Otherwise only the package index can't be reached. The run takes a minute or two.
"""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.bundle import BundleError, make_bundle
from project import __version__
from tests.first_start.lines import ROOT, shell_block
from tests.harness.children import Children
from tests.harness.ports import free_ports
from tests.harness.waiting import NotYetError, until
from tests.processes.orders import activation, trial

CUT_OFF = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
NOWHERE = "http://127.0.0.1:9/simple"
CARRIED_OUT_WITHIN = 120


class DrillError(Exception):
    """Raised if an expectation was not met."""


def main(words: list[str]) -> int:
    """Returns the exit code. With a folder as the argument, it runs only the part without a network."""
    if words:
        return install_and_run(Path(words[0]))
    folder = Path(tempfile.mkdtemp(prefix="bundle-run-"))
    try:
        archive = make_bundle(folder)
        print(f"made {archive.name}, {archive.stat().st_size / 1e6:.0f} MB", flush=True)
        command = [sys.executable, "-m", "tests.bundle.run", str(folder)]
        cut_off = subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0
        print("the network is cut off" if cut_off else "the network can't be cut off here; the package index is")
        return subprocess.run([*(CUT_OFF if cut_off else []), *command], cwd=ROOT, check=False).returncode
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder)


def install_and_run(folder: Path) -> int:
    """Runs the three commands, and then a desk from what they installed."""
    place = folder / "releases" / __version__
    try:
        write_settings(folder)
        for number, line in enumerate(commands(folder), 1):
            print(f"\n[{number}/3] {line}", flush=True)
            type_line(line, cwd=place if number > 1 else folder)
        with BundledDesk(folder, root=place) as desk:
            take_order_in(desk)
    except (DrillError, NotYetError, subprocess.TimeoutExpired) as error:
        print(f"bundle: {error}", file=sys.stderr)
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n", file=sys.stderr)
        return 1
    print("\nthe bundle installs and works without a package index")
    return 0


def commands(folder: Path) -> list[str]:
    """Returns the commands of deploy/README.md, with this folder and the Python version of the wheels."""
    replaced = {
        "/srv/ibs": str(folder),
        "/etc/ibs": str(folder),
        "python3 -m venv": f"{sys.executable} -m venv",
        "runuser -u ibs -- ": "",  # here the database is a file of the user who runs this test
    }
    block = shell_block(ROOT / "deploy" / "README.md", "## Without a package index")
    lines = re.sub("|".join(map(re.escape, replaced)), lambda found: replaced[found.group()], block).splitlines()
    if len(lines) != 3:
        raise DrillError(f"deploy/README.md promises three commands and has {len(lines)}")
    return lines


def write_settings(folder: Path) -> None:
    """Writes /etc/ibs/ibs.env for a desk with test data, beside its partners' sandbox."""
    web, sandbox = free_ports(2)
    settings = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATABASE_URL": f"sqlite:///{folder}/desk.sqlite3",
        "ATTACHMENT_DIR": f"{folder}/attachments",
        "EXPORT_DIR": f"{folder}/exports",
        "BBOSS_APP_SECRET": secrets.token_hex(16),
        "BBOSS_ACCESS_TOKENS": f"20991231235959{secrets.token_hex(16)}-1234-{int(time.time())}",
        "BPM_CALLBACK_SECRET": secrets.token_hex(32),
        "BPM_BASE_URL": f"http://127.0.0.1:{sandbox}/bpm",
        "BIGDATA_BASE_URL": f"http://127.0.0.1:{sandbox}/bigdata",
        "SITE_URL": f"http://127.0.0.1:{web}",
        "DEFAULT_CONTACT_MAIL": "sa@example.com",
    }
    (folder / "attachments").mkdir()
    (folder / "ibs.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (folder / "ports.json").write_text(json.dumps({"web": web, "sandbox": sandbox}))


def environment() -> dict[str, str]:
    """Returns an environment without ours, and without an index or a cache for pip, so that all packages come from the
    bundle.
    """
    own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PIP_INDEX_URL": NOWHERE, "PIP_NO_CACHE_DIR": "1"}
    return own | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def type_line(line: str, *, cwd: Path) -> str:
    """Runs a shell line and returns its output. Raises DrillError if it fails."""
    ended = subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment(), capture_output=True, text=True, check=False, timeout=600
    )
    if ended.returncode:
        raise DrillError(f"exit code {ended.returncode}: {line}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")
    return ended.stdout


class BundledDesk(Children):
    """Processes of the installed bundle, without our environment and packages."""

    @property
    def environment(self) -> dict[str, str]:
        return environment()

    def manage(self, *words: str) -> str:
        """Runs a command of the installed desk and returns its output. Raises DrillError if it fails."""
        return type_line(shlex.join([self.python, "manage.py", *words]), cwd=self.root)

    @property
    def python(self) -> str:
        return str(self.root / "venv" / "bin" / "python")


def take_order_in(desk: BundledDesk) -> None:
    """Starts web, worker and sandbox from the bundle. Posts a trial and its activation, and waits until both are
    carried out.
    """
    folder, python = desk.folder, desk.python
    ports = json.loads((folder / "ports.json").read_text())
    desk.start_program("sandbox", [python, "manage.py", "sandbox", "--port", str(ports["sandbox"])])
    web = [python, "-m", "gunicorn", "project.wsgi", "--bind", f"127.0.0.1:{ports['web']}", "--no-control-socket"]
    desk.start_program("web", web)
    desk.start_program("worker", [python, "manage.py", "worker"])
    patient = "curl -fsS --retry 60 --retry-all-errors --retry-delay 1"
    page = type_line(f"{patient} 127.0.0.1:{ports['web']}/livez", cwd=folder)
    if page != "ok":
        raise DrillError(f"/livez says {page!r}")
    style = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', ask(folder, ports["web"], "/admin/login/"))
    if not style:
        raise DrillError("the log-in page names no collected file")
    ask(folder, ports["web"], style[1])
    today = time.strftime("%Y%m%d")
    for content, state in ((trial(1, BizStart=today), "trialing"), (activation(1, BizStart=today), "active")):
        file, number = folder / "order.json", content["OrderNum"]
        file.write_text(json.dumps(content))
        desk.manage("send_order", str(file))
        until(
            lambda number=number, state=state: json.loads(desk.manage("show", number, "--json"))["state"] == state,
            seconds=CARRIED_OUT_WITHIN,
            every=1,
            what=f"{number} is {state}",
        )
        print(f"{number} is {state}", flush=True)
    print(desk.manage("version"), end="")


def ask(folder: Path, port: int, path: str) -> str:
    return type_line(f"curl -fsS 127.0.0.1:{port}{path}", cwd=folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
