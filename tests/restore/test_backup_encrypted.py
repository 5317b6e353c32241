"""Backups that are encrypted to BACKUP_RECIPIENT: the commands on real databases and with the real `age` (contract 4,
5)."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.clusters import can_mount
from tests.harness.waiting import until
from tests.restore.test_backup import NUMBERS, ROOT, Site

PHONE, ORDER = "13912345678", "100T7_50004020027"
FILL = f"""
from django.utils import timezone
from orders.history.order_locks_and_events import add_event
for n in range(20):
    add_event(None, "note", by="command:test", now=timezone.now(), text="{PHONE} {ORDER}" * 100)
"""
COUNT = "SELECT COUNT(*) FROM orders_orderevent WHERE kind = 'note'"
LARGE = PHONE.encode() * 300_000
NO_AGE = {"PATH": "/nonexistent"}


def make_key(file: Path) -> str:
    """Writes a private key into a file, and returns the public key."""
    subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    return subprocess.run(["age-keygen", "-y", file], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A site with some history, and an encrypted backup of the site in `backup`."""
    site = Site(tmp_path_factory.mktemp("site"), os.environ.get("DESK_TEST_DATABASE_URL", ""))
    site.identity = site.folder / "identity"
    site.key = make_key(site.identity)
    site.new_database(migrated=True)
    site.manage("shell", "-c", FILL)
    (site.attachments / "deep").mkdir()
    (site.attachments / "deep" / f"{ORDER}_20230920000000.xlsx").write_bytes(LARGE)
    (site.attachments / "other.bin").write_text("older")
    (site.attachments / NUMBERS).write_text(f"{ORDER} 2023-09-20T00:00:00+08:00 staff:li\n")
    site.told = site.manage("backup", site.folder / "backup", BACKUP_RECIPIENT=site.key)
    yield site
    site.close()


@pytest.fixture
def empty(filled, tmp_path):
    """The site with an empty database and without files."""
    before = filled.url, filled.attachments
    filled.new_database()
    filled.attachments = tmp_path / "attachments"
    yield filled
    filled.url, filled.attachments = before


def nothing_readable(folder: Path) -> bool:
    """Returns True if neither a file's name nor its bytes contain a phone or an order's number."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    held = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return PHONE.encode() not in held and ORDER.encode() not in held


def nothing_was_put_back(site: Site) -> bool:
    tables = "pg_tables WHERE schemaname = 'public'" if site.postgres else "sqlite_master"
    return site.rows(f"SELECT COUNT(*) FROM {tables}") == [(0,)] and not site.attachments.exists()


# --- the files of a backup


def test_nothing_in_it_is_readable_but_what_names_nobody(filled):
    folder = filled.folder / "backup"
    assert nothing_readable(folder)
    facts = json.loads((folder / "manifest.json").read_text())
    assert {path.name for path in folder.iterdir()} == {"manifest.json", *facts["files"]}
    assert {Path(name).suffix for name in facts["files"]} == {".age"}
    for name, known in facts["files"].items():
        data = (folder / name).read_bytes()
        assert known == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert (facts["recipient"], facts["counts"]["orders_orderevent"], facts["attachments"]) == (filled.key, 20, 3)
    assert f"up to event 20, 3 attachments, {sum(row['bytes'] for row in facts['files'].values()) / 1e6:.1f} MB" in (
        filled.told
    )
    assert f"encrypted to {filled.key}" in filled.told


def test_the_profile_of_partners_goes_along_encrypted(empty, tmp_path):
    profile, folder = tmp_path / "theirs.toml", tmp_path / "backup"
    profile.write_text(f'[bpm]\nflow = "{PHONE}"\n')
    empty.new_database(migrated=True)
    empty.manage("backup", folder, BACKUP_RECIPIENT=empty.key, PARTNERS_FILE=str(profile))
    assert (folder / "partners.toml.age").exists()
    assert nothing_readable(folder)
    empty.new_database()
    empty.manage("restore", folder, "--identity", empty.identity, STATE_DIR=str(tmp_path / "state"))
    assert (tmp_path / "state" / "partners.toml").read_bytes() == profile.read_bytes()


def test_without_the_setting_it_is_readable(filled, tmp_path):
    """Without BACKUP_RECIPIENT the backup is readable. So the test for an encrypted backup can fail."""
    filled.manage("backup", tmp_path / "plain")
    assert not nothing_readable(tmp_path / "plain")


def test_a_kill_leaves_nothing_readable_and_no_backup(filled, tmp_path):
    """The backup is killed while its copy goes into `age`, which waits at that moment. No readable file and no
    complete backup are left."""
    waits, goes_on = tmp_path / "waits", tmp_path / "goes-on"
    program = tmp_path / "bin" / "age"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nif [ -p /dev/stdin ]; then echo $$ >{waits}.part; mv {waits}.part {waits}\n"
        f'while [ ! -e {goes_on} ]; do sleep 0.05; done; fi\nexec {shutil.which("age")} "$@"\n'
    )
    program.chmod(0o755)
    backup = subprocess.Popen(
        [sys.executable, "manage.py", "backup", tmp_path / "killed"],
        cwd=ROOT,
        env=os.environ
        | filled.environment
        | {"BACKUP_RECIPIENT": filled.key, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )
    until(waits.exists, what="the copy goes into age")
    assert [path.suffix for path in (tmp_path / "killed").iterdir()] == [".age"]
    backup.send_signal(signal.SIGKILL)
    backup.wait(timeout=20)
    goes_on.touch()
    until(lambda: not Path(f"/proc/{waits.read_text().strip()}").exists(), what="age ends")
    assert [path.suffix for path in (tmp_path / "killed").iterdir()] == [".age"]
    assert nothing_readable(tmp_path / "killed")
    told = filled.manage("restore", tmp_path / "killed", "--identity", filled.identity, code=1)
    assert "is no finished backup: it has no manifest.json" in told


@pytest.mark.skipif(not can_mount(), reason="a full disk of its own needs the right to mount")
@pytest.mark.parametrize("size", ["128k", "2m"])  # the disk is full while the database is written, or later
def test_a_full_disk_is_told_and_leaves_nothing_readable(filled, tmp_path, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
    try:
        told = filled.manage("backup", disk / "backup", code=1, BACKUP_RECIPIENT=filled.key)
        assert "CommandError: no backup was made: " in told
        assert "no space left on device" in told or "database or disk is full" in told
        assert "Traceback" not in told
        assert nothing_readable(disk)
        assert not (disk / "backup" / "manifest.json").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


# --- with the setting, nothing is ever written unencrypted


@pytest.mark.parametrize(
    "given, said",
    [
        (NO_AGE, "the program age is not installed (Debian's package age)"),
        ({"BACKUP_RECIPIENT": "age1nobody"}, 'malformed recipient "age1nobody"'),
    ],
)
def test_what_cannot_encrypt_starts_nothing_and_makes_no_backup(filled, tmp_path, given, said):
    told = filled.manage("show", "X", code=1, **{"BACKUP_RECIPIENT": filled.key} | given)
    assert f"(desk.022) BACKUP_RECIPIENT: {said}" in told.replace("age: error: ", "")
    told = filled.manage(
        "backup", tmp_path / "none", "--skip-checks", code=1, **{"BACKUP_RECIPIENT": filled.key} | given
    )
    assert f"no backup was made: BACKUP_RECIPIENT: {said}" in told.replace("age: error: ", "")
    assert not (tmp_path / "none").exists()


def test_a_private_key_is_refused_and_not_repeated(filled):
    secret = filled.identity.read_text().split()[-1]
    told = filled.manage("settings", code=1, BACKUP_RECIPIENT=secret)
    assert "BACKUP_RECIPIENT holds a private key" in told
    assert secret not in told


# --- restoring a backup


def test_it_goes_back_with_its_private_key_and_newer_files_stay(empty):
    empty.attachments.mkdir()
    (empty.attachments / "other.bin").write_text("newer")
    told = empty.manage("restore", empty.folder / "backup", "--identity", empty.identity)
    assert "up to event 20" in told
    assert "2 attachments put back" in told
    assert "left as they are, since they differ from the backup's: other.bin" in told
    assert empty.rows(COUNT) == [(20,)]
    assert (empty.attachments / "deep" / f"{ORDER}_20230920000000.xlsx").read_bytes() == LARGE
    assert (empty.attachments / "other.bin").read_text() == "newer"
    assert ORDER in (empty.attachments / NUMBERS).read_text()
    assert "wrong: the database was restored" in empty.manage("status", code=1)
    empty.manage("migrate", "--check")
    assert not list(Path(empty.url.removeprefix("sqlite:///")).parent.glob("tmp*"))


def test_without_its_key_it_does_not_go_back(empty, tmp_path):
    backup = empty.folder / "backup"
    make_key(tmp_path / "other")
    assert f"it is encrypted to {empty.key}: name the file of its private key by --identity" in empty.manage(
        "restore", backup, code=1
    )
    told = empty.manage("restore", backup, "--identity", tmp_path / "other", code=1)
    assert "nothing was restored: age: error: no identity matched any of the recipients (attachments.tar.age is" in told
    assert f"encrypted to {empty.key})" in told
    assert "no such file" in empty.manage("restore", backup, "--identity", tmp_path / "none", code=1)
    told = empty.manage("restore", backup, "--identity", empty.identity, code=1, **NO_AGE)
    assert "nothing was restored: the program age is not installed" in told
    assert nothing_was_put_back(empty)


def test_a_file_that_was_cut_does_not_go_back(empty, tmp_path):
    for kind in ("database", "attachments"):
        for known in (False, True):
            a_cut_file_does_not_go_back(empty, tmp_path / f"{kind}-{known}", kind, known)


def a_cut_file_does_not_go_back(empty, copy, kind, known):
    """Checks that a backup with a cut file is not restored. With `known`, the manifest describes the cut file, so that
    only `age` can notice."""
    shutil.copytree(empty.folder / "backup", copy)
    [file] = copy.glob(f"{kind}.*.age")
    os.truncate(file, file.stat().st_size - 1000)
    if known:
        facts = json.loads((copy / "manifest.json").read_text())
        data = file.read_bytes()
        facts["files"][file.name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (copy / "manifest.json").write_text(json.dumps(facts))
    told = empty.manage("restore", copy, "--identity", empty.identity, code=1)
    assert "CommandError: nothing was restored: " in told
    assert ("age: error: failed to decrypt" if known else f"{file.name} has changed since it was made") in told
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(empty.attachments)
    assert nothing_was_put_back(empty)
