"""`make bundle`: creates an archive that installs the desk on a machine without a package index.

The archive has the committed code, the wheels for the target's Python, the collected static files and a list of all
parts (`sbom.cdx.json`, CycloneDX). The same commit and the same wheels give the same bytes.
"""

import argparse
import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.sbom import write_sbom
from project import __version__

ROOT = Path(__file__).resolve().parent.parent
NAME = f"ibs-order-desk-{__version__}"


class BundleError(Exception):
    """A bundle can't be created. The text is the reason."""


def main(words: list[str] | None = None) -> int:
    """Creates a bundle with the options of the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bundle", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder for the archive; default: dist")
    parser.add_argument("--python-version", help="the target's Python, as 3.13; default: the one that runs this")
    of = "the target's, as manylinux_2_28_x86_64, again for another that it takes; default: this machine's"
    parser.add_argument("--platform", action="append", default=[], help=of)
    asked = parser.parse_args(words)
    try:
        archive = make_bundle(asked.output, python=asked.python_version, platforms=asked.platform)
    except (BundleError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    print(f"{archive} ({archive.stat().st_size / 1e6:.0f} MB)")
    return 0


def make_bundle(output: Path, *, python: str | None = None, platforms: list[str] | None = None) -> Path:
    """Writes the archive. Writes its SHA-256 into the same folder. Returns the archive's path. Raises BundleError."""
    if _run("git", "status", "--porcelain", "--untracked-files=no"):
        raise BundleError("there are changes that are not committed; a bundle holds what is")
    commit = _run("git", "rev-parse", "HEAD").strip()
    moment = int(_run("git", "show", "-s", "--format=%ct", commit))
    with TemporaryDirectory(prefix="bundle-") as folder:
        content = Path(folder, NAME)
        content.mkdir()
        _run("git", "archive", f"--output={folder}/code.tar", commit)
        _run("tar", "-xf", f"{folder}/code.tar", "-C", str(content))
        _download(content, python, platforms or [])
        _collect_static_files(content)
        write_sbom(content, version=__version__, moment=moment)
        output.mkdir(parents=True, exist_ok=True)
        archive = output / f"{NAME}-{_target(python, platforms or [])}.tar.gz"
        _pack(content, archive, moment)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    return archive


def _download(content: Path, python: str | None, platforms: list[str]) -> None:
    """Downloads the wheels of requirements.txt and checks their hashes. A library without a wheel can't be bundled."""
    words = ["download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
    if python:
        words += ["--implementation", "cp", "--python-version", python]
    words += [word for platform in platforms for word in ("--platform", platform)]
    _run(sys.executable, "-m", "pip", *words, "-r", "requirements.txt", "-d", "wheels", cwd=content)


def _collect_static_files(content: Path) -> None:
    own = {"SECRET_KEY": "for-this-command-only", "DATABASE_URL": "sqlite://:memory:", "BBOSS_ENV_FLAG": "0"}
    environment = os.environ | own | {"PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "project.settings"}
    _run(sys.executable, "manage.py", "collectstatic", "--noinput", "-v0", cwd=content, env=environment)


def _target(python: str | None, platforms: list[str]) -> str:
    """Returns the platform of the wheels, such as `cp313-linux_x86_64`."""
    version = (python or f"{sys.version_info.major}.{sys.version_info.minor}").replace(".", "")
    return f"cp{version}-{platforms[0] if platforms else f'{sys.platform}_{os.uname().machine}'}"


def _pack(content: Path, archive: Path, moment: int) -> None:
    """Packs files sorted by name, owned by root and with the commit's time. So the archive's bytes are reproducible."""

    def as_committed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = moment
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    part = archive.with_name(f"{archive.name}.part")
    with (
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in [content, *sorted(content.rglob("*"))]:
            tar.add(path, arcname=path.relative_to(content.parent), recursive=False, filter=as_committed)
    part.rename(archive)


def _run(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Runs a command and returns its output. Raises BundleError with the end of its error output."""
    ended = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise BundleError(f"{' '.join(command[:4])} … ended with {ended.returncode}\n{ended.stderr.strip()[-2000:]}")
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main())
