"""The systemd units that back up and prune regularly. The test runs their lines with a program in place of Python."""

import os
import re
import subprocess
import time

from django.core.management import call_command, get_commands

from tests.first_start.lines import ROOT

DEPLOY = ROOT / "deploy"
LINE = re.compile(r"^Exec\w+=(.+)$", re.MULTILINE)
OLD = 15 * 86400


def run_unit(name: str, folder) -> list[str]:
    """Runs the lines of a unit as systemd would, with all paths inside `folder`. Returns the arguments of each call of
    manage.py.
    """
    python = folder / "srv/ibs/app/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    said = []
    for line in LINE.findall((DEPLOY / f"{name}.service").read_text()):
        line = line.replace("/srv/ibs", f"{folder}/srv/ibs").replace("/backup", f"{folder}/backup")
        line = line.replace("%%", "%").replace("$$", "$").replace("????-??-??", "'????-??-??'")
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=20)
        said.append(done.stdout.strip())
    return said


def test_a_backup_gets_the_days_name_and_only_old_ones_go(tmp_path):
    kept = ["ibs-2026-11-20", "ibs-before-1.5.0", "other-2026-01-01"]
    for name in (*kept, "ibs-2026-01-01"):
        (tmp_path / "backup" / name).mkdir(parents=True)
        (tmp_path / "backup" / name / "manifest.json").touch()
        if name != kept[0]:
            os.utime(tmp_path / "backup" / name, (time.time() - OLD,) * 2)
    called, _ = run_unit("ibs-backup", tmp_path)
    assert re.fullmatch(rf"manage.py backup --by timer {tmp_path}/backup/ibs-\d{{4}}-\d\d-\d\d", called)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == sorted(kept)


def test_prune_is_called_as_it_wants_to_be(tmp_path, db):
    (called,) = run_unit("ibs-prune", tmp_path)
    _, command, *arguments = called.split()
    assert command in get_commands()
    call_command(command, *arguments)


def test_each_timer_starts_its_unit():
    timers = sorted(file.stem for file in DEPLOY.glob("*.timer"))
    assert timers == ["ibs-backup", "ibs-prune"]
    assert [name for name in timers if not (DEPLOY / f"{name}.service").exists()] == []
