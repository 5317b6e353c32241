"""Programs that replace systemd, nginx's main configuration and a person's editor.

The walk puts them on PATH under the names of the real programs. A unit's process runs as the unit's user, with only
the variables of the unit's environment file. systemd's sandbox (ProtectSystem and similar settings) is not tested.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.harness.nginx import nginx_command, nginx_program

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def systemctl(folder: Path, *words: str) -> None:
    """Replaces `systemctl`. Exits with an error for any other command than these.

    `daemon-reload`, `enable --now UNIT...`, `start UNIT`, `stop UNIT`, `reload UNIT...`, `reload nginx`.
    """
    match words:
        case ["daemon-reload"]:
            pass
        case ["enable", "--now", *units]:
            for unit in units:
                start_unit(folder, unit)
        case ["start", unit]:
            start_unit(folder, unit)
        case ["stop", unit]:
            stop_unit(folder, unit)
        case ["reload", "nginx"]:
            start(folder, "nginx", nginx_command(folder))
        case ["reload", *units]:
            for unit in units:
                reload_unit(folder, unit)
        case _:
            sys.exit(f"systemctl {shlex.join(words)}: the walk does not know this")


def start_unit(folder: Path, name: str) -> None:
    """Starts the process of a unit as its unit file says."""
    unit = dict(unit_lines(folder, name))
    start(folder, name, as_unit(unit, unit["ExecStart"]), cwd=unit["WorkingDirectory"])


def stop_unit(folder: Path, name: str) -> None:
    """Sends SIGTERM to the main process of a unit. After TimeoutStopSec, kills the rest of its process group."""
    main = int((folder / f"{name}.pid").read_text())
    os.kill(main, signal.SIGTERM)
    wait_until_gone(main, 40)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(main, signal.SIGKILL)


def reload_unit(folder: Path, name: str) -> None:
    """Runs the reload commands of a unit one after the other. If a command fails, exits with its code."""
    lines = unit_lines(folder, name)
    unit, main = dict(lines), (folder / f"{name}.pid").read_text()
    for command in [value.replace("$MAINPID", main) for key, value in lines if key == "ExecReload"]:
        if code := subprocess.run(as_unit(unit, command), cwd=unit["WorkingDirectory"], check=False).returncode:
            sys.exit(code)


def unit_lines(folder: Path, name: str) -> list[tuple[str, str]]:
    text = (folder / "etc/systemd/system" / f"{name}.service").read_text()
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


def as_unit(unit: dict[str, str], command: str) -> list[str]:
    """Returns a command that runs `command` as the unit's user, with only the unit's environment.

    `setpriv` replaces itself by the command, so that the process id stays the same.
    """
    lines = re.findall(r"^([A-Z_]+)=(.*)$", Path(unit["EnvironmentFile"]).read_text(), re.MULTILINE)
    settings = [f"PATH={PATH}", *(f"{name}={value}" for name, value in lines)]
    user = ["setpriv", f"--reuid={unit['User']}", f"--regid={unit['Group']}", "--init-groups"]
    return [*user, "env", "-i", *settings, *shlex.split(command)]


def start(folder: Path, name: str, command: list[str], **more) -> None:
    """Starts a process in a separate process group, and does not wait for its end.

    Writes its id and its log to the walk's folder.
    """
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more
        )
    (folder / f"{name}.pid").write_text(str(process.pid))


def stop_all(folder: Path) -> None:
    """Ends the processes that `start` started. The last one ends first."""
    for file in sorted(folder.glob("*.pid"), key=lambda file: file.stat().st_mtime, reverse=True):
        group = int(file.read_text())
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                break
            wait_until_gone(group, 30)


def wait_until_gone(number: int, seconds: float) -> None:
    """Waits until a process has ended. If it is a child of this process, reaps it.

    A child that was not reaped would count as present.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(number, os.WNOHANG)
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)


def editor(folder: Path, file: str) -> None:
    """Replaces a person's editor: writes the walk's settings to their places in the file.

    A setting without a place is added at the end.
    """
    path = Path(file)
    text = path.read_text()
    for line in (folder / "typed.env").read_text().splitlines():
        name = line.split("=", 1)[0]
        text, places = re.subn(rf"^(# )?{name}=.*$", lambda _, line=line: line, text, count=1, flags=re.MULTILINE)
        if not places:
            text += f"{line}\n"
    path.write_text(text)


if __name__ == "__main__":
    called, walk, *words = sys.argv[1:]
    if called == "nginx":
        sys.exit(subprocess.run([*nginx_program(Path(walk)), *words], check=False).returncode)
    {"systemctl": systemctl, "editor": editor}[called](Path(walk), *words)
