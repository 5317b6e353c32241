"""README's ten lines ("Production in ten lines"), and the texts that the walk replaces in them.

The walk (run.py) types these lines with the paths, ports and names of one test run.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


class WalkError(Exception):
    """A line failed, or a promise was not kept. The text says which."""


@dataclass(frozen=True)
class Place:
    """Where the walk happens: its folder, its ports on loopback and its database."""

    folder: Path
    repository: Path
    http: int
    https: int
    web: int
    intake: int
    sandbox: int
    mail: int
    database: str
    database_url: str

    def substitutions(self) -> dict[str, str]:
        """Returns {text: replacement} for README's lines and deploy/: paths, ports, domains, the database's name."""
        paths = (
            "/srv/ibs",
            "/var/lib/ibs",
            "/etc/ibs",
            "/etc/ssl/ibs",
            "/etc/systemd/system",
            "/etc/nginx",
            "/var/log/nginx",
        )
        return {path: f"{self.folder}{path}" for path in paths} | {
            "https://git.example.com/ibs-order-desk.git": str(self.repository),
            "https://ibs.example.com": f"https://localhost:{self.https}",
            "ibs.example.com": "localhost",
            "127.0.0.1:8000": f"127.0.0.1:{self.web}",
            "127.0.0.1:8001": f"127.0.0.1:{self.intake}",
            "listen 80;": f"listen 127.0.0.1:{self.http};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.https} ssl;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "https://bpm.example.com/...": f"http://127.0.0.1:{self.sandbox}/bpm",
            "https://bigdata.example.com/...": f"http://127.0.0.1:{self.sandbox}/bigdata",
            "smtp+tls://user:password@mail.example.com:587": f"smtp://127.0.0.1:{self.mail}",
            # An account that the tests' server accepts replaces PostgreSQL's own account. The desk's role connects
            # over TCP.
            "runuser -u postgres -- ": "",
            "createuser ibs": f"createuser {self.database}",
            "--owner=ibs ibs": f"--owner={self.database} {self.database}",
            "postgres:///ibs": self.database_url,
        }

    def put_in(self, text: str) -> str:
        """Returns the text with all substitutions, which are made in one pass."""
        known = self.substitutions()
        longest_first = sorted(known, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), lambda found: known[found.group()], text)


def ten_lines() -> list[str]:
    """Returns the shell lines that README tells a person to type."""
    return shell_block(ROOT / "README.md", "## Production in ten lines").splitlines()


def settings_to_fill_in() -> dict[str, str]:
    """Returns the settings that deploy/README.md tells a person to write with the editor.

    The person must replace the values that contain `...`.
    """
    return dict(ENTRY.findall(shell_block(ROOT / "deploy" / "README.md", "## The first start")))


def upgrade_lines() -> list[str]:
    """Returns the lines that deploy/README.md tells a person to type for a new version."""
    return _with_desk(shell_block(ROOT / "deploy" / "README.md", "## A new version"))


def way_back_lines() -> list[str]:
    """Returns the lines that deploy/README.md tells a person to type to go back from a new version."""
    return _with_desk(shell_block(ROOT / "deploy" / "README.md", "## A new version", after="A rollback"))


def _with_desk(block: str) -> list[str]:
    """Returns the lines of a block. A line that uses `desk` begins with README's definition of this function.

    This is necessary because each line is typed in a separate shell.
    """
    definition = re.search(r"desk\(\) \{.*?\};", "\n".join(ten_lines()))[0]
    return [f"{definition} {line}" if re.search(r"\bdesk ", line) else line for line in block.splitlines()]


def shell_block(file: Path, heading: str, after: str = "") -> str:
    """Returns the first shell block below a heading. With `after`, returns the first one below that text."""
    text = file.read_text(encoding="utf-8")
    below = text[text.index(f"\n{heading}\n") :]
    return below[below.index(after) :].split("```sh\n", 1)[1].split("```", 1)[0]
