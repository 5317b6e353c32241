"""`python -m tests.first_start.run` (`make first-start`): types README's ten lines as root, from a fresh clone.

Then a person logs in over HTTPS, BBOSS posts a trial and its activation, and both are carried out: billing records, a
BPM process, a mail. At the end, the desk is upgraded to a made-up next version and goes back, by the lines of
deploy/README.md, while orders come in. Everything runs on loopback and in a temporary folder.
`lines.Place.substitutions` has the replaced texts. `stand_ins` replaces systemd and a person's editor.
"""

import contextlib
import grp
import json
import os
import pty
import pwd
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests

from tests.first_start import stand_ins
from tests.first_start.lines import ROOT, Place, WalkError, settings_to_fill_in, ten_lines
from tests.first_start.upgrade import make_repository, upgrade
from tests.harness.nginx import NGINX, write_nginx_conf
from tests.harness.ports import free_ports
from tests.harness.smtp import SmtpServer
from tests.harness.waiting import NotYetError, until
from tests.processes.orders import activation, trial
from tests.run import NoDatabaseError, find_server

USER, PASSWORD = "first", secrets.token_urlsafe(16)
ANSWERS = {
    "(?i)(username|用户名)[^\n]*: $": USER,
    "(?i)(e-?mail|邮箱)[^\n]*: $": "first@example.com",
    "(?i)password[^\n]*: $": PASSWORD,
}
LINE_WITHIN = 900  # seconds; the second line installs packages
CARRIED_OUT_WITHIN = 120


def main() -> int:
    """Runs the walk and returns the exit code."""
    try:
        check_machine()
        with walk_place() as place:
            try:
                walk(place)
            except (WalkError, NotYetError, requests.RequestException) as error:
                print(f"\nfirst start: {error}", file=sys.stderr)
                for log in sorted([*place.folder.glob("*.log"), *place.folder.glob("var/log/nginx/*.log")]):
                    tail = log.read_text(errors="replace").splitlines()[-15:]
                    print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
                return 1
    except (WalkError, NoDatabaseError) as error:
        print(f"first start: {error}", file=sys.stderr)
        return 1
    print("\nthe first start works as README says")
    return 0


def check_machine() -> None:
    """Raises WalkError if this machine lacks something that the lines need."""
    needed = ("git", "adduser", "deluser", "runuser", "createuser", "createdb", "openssl", "curl", NGINX)
    missing = [name for name in needed if not shutil.which(name, path=stand_ins.PATH)]
    if os.geteuid() != 0 or missing:
        raise WalkError(f"needs root and Debian's {', '.join(missing) or 'tools'}; .ci/run installs them")


@contextlib.contextmanager
def walk_place() -> Iterator[Place]:
    """Yields the folder, ports and database of a walk. At the end, removes all that the walk created.

    This includes the account `ibs`, unless the account existed before.
    """
    server = find_server()
    if server is None:
        raise WalkError("no PostgreSQL answers on 127.0.0.1:5432")
    new_user = not has_account("ibs")
    folder = Path(tempfile.mkdtemp(prefix="first-start-"))
    folder.chmod(0o755)  # the account `ibs` reads its code in this folder
    database = f"first_start_{os.getpid()}"
    password = secrets.token_hex(16)
    parts = urlsplit(server.url)
    url = f"postgres://{database}:{password}@{parts.hostname}:{parts.port or 5432}/{database}"
    os.environ |= {"PGHOST": parts.hostname, "PGPORT": str(parts.port or 5432), "PGUSER": parts.username or "root"}
    if parts.password:
        os.environ["PGPASSWORD"] = parts.password
    try:
        yield Place(folder, make_repository(folder), *free_ports(6), database, url)  # type: ignore[call-arg]  # the ports
    finally:
        stand_ins.stop_all(folder)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            connection.execute(f"DROP ROLE IF EXISTS {database}")
        if new_user and has_account("ibs"):
            subprocess.run(["deluser", "--quiet", "--system", "ibs"], check=False)
        shutil.rmtree(folder)


def has_account(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name) and grp.getgrnam(name))
    return False


def walk(place: Place) -> None:
    """Types the ten lines, sends an order, and upgrades the desk. Raises WalkError at the first broken promise."""
    prepare(place)
    checkout = place.folder / "srv/ibs/app"
    with SmtpServer(place.mail) as mails:
        for number, line in enumerate(ten_lines(), 1):
            print(f"\n[{number}/10] {line}", flush=True)
            type_line(place.put_in(line), place, cwd=checkout if number > 1 else place.folder)
            if number == 1:
                put_in_files(place, checkout / "deploy")
            if number == 4:
                let_role_in(place)
        print("\nthe lines are walked; now an order", flush=True)
        log_in(place)
        carry_out(place, checkout, mails)
        upgrade(place, type_line)


def prepare(place: Place) -> None:
    """Prepares the stand-ins, the partners, and the settings that the person will type into the editor."""
    programs = place.folder / "bin"
    programs.mkdir()
    for name in ("systemctl", "nginx", "editor"):
        program = programs / name
        ours = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m tests.first_start.stand_ins'
        program.write_text(f'#!/bin/sh\n{ours} {name} "{place.folder}" "$@"\n')
        program.chmod(0o755)
    (place.folder / "etc/systemd/system").mkdir(parents=True)
    write_nginx_conf(place.folder)
    typed = settings_to_fill_in() | {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "BBOSS_APP_SECRET": secrets.token_hex(16),
        "BBOSS_ACCESS_TOKENS": f"20991231235959{secrets.token_hex(16)}-1234-{int(time.time())}",
        "BPM_CALLBACK_SECRET": secrets.token_hex(32),
        "DEFAULT_CONTACT_NAME": "值班",
        "DEFAULT_CONTACT_MAIL": "sa@example.com",
        "DEFAULT_CONTACT_TEL": "13700000000",
    }
    lines = [f"{name}={place.put_in(value)}" for name, value in typed.items()]
    if left := [line for line in lines if "..." in line]:
        raise WalkError(f"deploy/README.md leaves to a person what the walk does not know: {left}")
    (place.folder / "typed.env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = os.environ | {"DEBUG": "true", "BBOSS_ENV_FLAG": "0", "DATABASE_URL": "sqlite://:memory:"}
    sandbox = [sys.executable, "manage.py", "sandbox", "--port", str(place.sandbox)]
    stand_ins.start(place.folder, "sandbox", sandbox, cwd=ROOT, env=environment)


def put_in_files(place: Place, folder: Path) -> None:
    """Makes the substitutions of the lines in the unit files and in nginx's server file."""
    for file in filter(Path.is_file, folder.iterdir()):
        file.write_text(place.put_in(file.read_text(encoding="utf-8")), encoding="utf-8")


def let_role_in(place: Place) -> None:
    """Gives the desk's role a password, because the tests' server may not know accounts by name."""
    role = urlsplit(place.database_url)
    with psycopg.connect(find_server().url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role.username} PASSWORD '{role.password}'")


def type_line(line: str, place: Place, *, cwd: Path) -> None:
    """Types a line in a separate terminal, and answers its questions. Raises WalkError if the line fails."""
    path = f"{place.folder}/bin:{stand_ins.PATH}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "VIRTUAL_ENV"))}
    environment = inherited | {"PATH": path, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    child, terminal = pty.fork()
    if not child:
        os.chdir(cwd)
        os.execve("/bin/bash", ["bash", "-c", line], environment)
    said, code = listen(terminal, child)
    os.close(terminal)
    if code:
        raise WalkError(f"exit code {code}: {line}\n{said}")


def listen(terminal: int, child: int) -> tuple[str, int]:
    """Answers each question once. Returns all output and the exit code.

    Raises WalkError if the process does not end in time.
    """
    said, answered, end = "", 0, time.monotonic() + LINE_WITHIN
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)  # before reading, so that all output until the end is read
        while heard := hear(terminal):
            said += heard
            for question, answer in ANSWERS.items():
                if re.search(question, said[answered:]):
                    answered = len(said)
                    os.write(terminal, f"{answer}\n".encode())
        if ended:
            return said, os.waitstatus_to_exitcode(status)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise WalkError(f"did not end within {LINE_WITHIN} s\n{said}")


def hear(terminal: int) -> str:
    """Returns the next output, or "" if there is none for a moment."""
    if not select.select([terminal], [], [], 0.2)[0]:
        return ""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # EIO: no process has the terminal open now; waitpid shows whether the line has ended
        time.sleep(0.1)
        return ""


def log_in(place: Place) -> None:
    """Logs in over HTTPS as the person that the lines created. Raises WalkError if a promise is broken.

    Also checks the access to the certificate's key, the redirect from HTTP to HTTPS, the hashed static files of the
    log-in page, and /metrics.
    """
    site = f"https://localhost:{place.https}"
    if (place.folder / "etc/ssl/ibs/privkey.pem").stat().st_mode & 0o077:
        raise WalkError("the certificate's key is not root's alone")
    with session(place) as browser:
        plain = browser.get(f"http://localhost:{place.http}/admin/", allow_redirects=False, timeout=30)
        expect(plain.headers.get("Location", "").startswith("https://localhost"), "plain HTTP leads to HTTPS", plain)
        page = browser.get(f"{site}/admin/login/", timeout=30)
        expect(page.status_code == 200, "the log-in page answers", page)
        style = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', page.text)
        expect(style is not None, "the log-in page names hashed files", page)
        file = browser.get(site + style[1], timeout=30)
        expect(file.status_code == 200, f"{style[1]} is served", file)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/admin/"}
        home = browser.post(f"{site}/admin/login/", data=form, headers={"Referer": f"{site}/"}, timeout=30)
        expect(home.status_code == 200 and "/logout/" in home.text, "the log-in leads to the dashboard", home)
        metrics = browser.get(f"{site}/metrics", timeout=30)
        expect("desk_database_up 1" in metrics.text, "/metrics answers this machine", metrics)
    print("logged in over HTTPS")


def carry_out(place: Place, checkout: Path, mails: SmtpServer) -> None:
    """Posts a trial and its activation over HTTPS, and waits until both are carried out. Raises WalkError otherwise.

    Also checks the records and processes at the partners, and that a mail arrived.
    """
    today = time.strftime("%Y%m%d")
    for content, state in ((trial(1, BizStart=today), "trialing"), (activation(1, BizStart=today), "active")):
        number = content["OrderNum"]
        file = place.folder / f"{number}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        manage(place, checkout, "send_order", str(file))
        standing = reaches(place, checkout, number, state)
        print(f"{number}: {standing['kind']} is {standing['state']}")
    with requests.Session() as browser:
        browser.trust_env = False
        held = browser.get(f"http://127.0.0.1:{place.sandbox}/state", timeout=30).json()
    kinds = sorted((record["jobId"], record["infoType"], record["cancelStatus"]) for record in held["records"])
    if kinds != [("100A0001", "2", "1"), ("100T0001", "1", "2")] or len(held["processes"]) != 1 or held["violations"]:
        raise WalkError(f"the partners hold something else: {held}")
    if not any("sa@example.com" in recipients for recipients, _ in mails.got):
        raise WalkError("no mail arrived")
    print(f"big data holds 2 records, BPM 1 process; {len(mails.got)} mails arrived")


def reaches(place: Place, checkout: Path, number: str, state: str) -> dict:
    """Returns the output of `show` for an order once the order has this state and all its steps are done.

    Raises NotYetError after CARRIED_OUT_WITHIN seconds.
    """
    seen: dict = {}

    def there() -> bool:
        seen.update(json.loads(manage(place, checkout, "show", number, "--json")))
        return seen["state"] == state and all(step["status"] == "done" for step in seen["steps"])

    until(there, seconds=CARRIED_OUT_WITHIN, every=1, what=f"{number} is {state}", report=lambda: str(seen))
    return seen


def manage(place: Place, checkout: Path, *words: str) -> str:
    """Runs `desk WORDS`, as README's sixth line defines it. Returns its output. Raises WalkError if it fails."""
    command = ["runuser", "-u", "ibs", "--", "venv/bin/python", "manage.py", *words]
    certificate = f"{place.folder}/etc/ssl/ibs/fullchain.pem"
    environment = {"PATH": stand_ins.PATH, "LANG": "C.UTF-8", "REQUESTS_CA_BUNDLE": certificate}
    ended = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise WalkError(f"manage.py {' '.join(words)}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def session(place: Place) -> requests.Session:
    """Returns an HTTP session that trusts only the walk's certificate."""
    browser = requests.Session()
    browser.trust_env = False
    browser.verify = str(place.folder / "etc/ssl/ibs/fullchain.pem")
    return browser


def expect(held: bool, what: str, answer: requests.Response) -> None:
    if not held:
        raise WalkError(f"{what}: no; {answer.url} answered {answer.status_code}\n{answer.text[:2000]}")


if __name__ == "__main__":
    sys.exit(main())
