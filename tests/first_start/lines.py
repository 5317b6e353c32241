"""README's ten lines, and what the walk puts in place of the machine's names in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


class WalkError(Exception):
    """A line or a promise did not hold; the text says which."""


@dataclass(frozen=True)
class Place:
    """The place of the walk: its folder, its ports on loopback and its database."""

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
        """All that is replaced in README's lines and in deploy/: paths, ports, domains, the database's name."""
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
            # Whoever the tests' server lets in stands for PostgreSQL's own account; the role then comes over TCP.
            "runuser -u postgres -- ": "",
            "createuser ibs": f"createuser {self.database}",
            "--owner=ibs ibs": f"--owner={self.database} {self.database}",
            "postgres:///ibs": self.database_url,
        }

    def put_in(self, text: str) -> str:
        """The text with each of them replaced, in one pass."""
        known = self.substitutions()
        longest_first = sorted(known, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), lambda found: known[found.group()], text)


def ten_lines() -> list[str]:
    """Returns the shell lines that README has a person type."""
    return shell_block(ROOT / "README.md", "## Production in ten lines").splitlines()


def settings_to_fill_in() -> dict[str, str]:
    """Returns the lines that deploy/README.md has a person write with the editor. `...` is left to that person."""
    return dict(ENTRY.findall(shell_block(ROOT / "deploy" / "README.md", "## The first start")))


def upgrade_lines() -> list[str]:
    """Returns the lines that deploy/README.md has a person type for a new version."""
    return _with_desk(shell_block(ROOT / "deploy" / "README.md", "## A new version"))


def way_back_lines() -> list[str]:
    """Returns the lines that it has a person type to leave that version again."""
    return _with_desk(shell_block(ROOT / "deploy" / "README.md", "## A new version", after="A rollback"))


def _with_desk(block: str) -> list[str]:
    """Its lines, those with `desk` after the function of that name from README: each is typed in a shell of its own."""
    definition = re.search(r"desk\(\) \{.*?\};", "\n".join(ten_lines()))[0]
    return [f"{definition} {line}" if re.search(r"\bdesk ", line) else line for line in block.splitlines()]


def shell_block(file: Path, heading: str, after: str = "") -> str:
    """The first shell block below a heading, or the first after some words below it."""
    text = file.read_text(encoding="utf-8")
    below = text[text.index(f"\n{heading}\n") :]
    return below[below.index(after) :].split("```sh\n", 1)[1].split("```", 1)[0]
