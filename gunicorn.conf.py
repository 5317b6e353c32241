"""Gunicorn's configuration, read at its start and at each reload. deploy/README.md describes how a version is replaced.

nginx in front hands over whole requests, so nothing here bounds how slowly a caller may send one. This file imports
nothing of ours: workers would keep what the master has loaded, even after a reload.
"""

import datetime
import json
import logging
import os
import select
import subprocess
import sys
import threading

from gunicorn.glogging import Logger


class OwnLines(logging.Formatter):
    """gunicorn's own lines in the desk's form (LOG_FORMAT)."""

    def format(self, record):
        moment = datetime.datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        fields = {"time": moment, "level": record.levelname, "logger": record.name, "message": message, "request": "-"}
        if os.environ.get("LOG_FORMAT", "").strip() == "json":
            return json.dumps(fields, ensure_ascii=False)
        return "{time} {level} {logger} [{request}] {message}".format(**fields)


class DeskLogger(Logger):
    """Leaves the line of each request to the desk, which knows the caller and what became of it."""

    def setup(self, cfg):
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(OwnLines())

    def access(self, *args):
        pass


logger_class = DeskLogger

# The folder as the command line names it: in production it is the link to the current release. Without this line
# gunicorn would stay in the folder that the link named at its start, and a reload would load the old code again.
chdir = os.path.dirname(os.path.abspath(__file__))


def on_starting(server):
    """Reports what production lacks before anything listens. Gunicorn then ends with 1."""
    if not take_settings(server):
        sys.exit(1)


def take_settings(server, *words):
    """Puts the values of `.env` into the environment of the workers to come. False, and nothing is changed, if they
    can't be used; the reasons are printed.

    So all workers have the same values until the next reload, whatever is in the file meanwhile. What systemd read from
    the same file (EnvironmentFile) is the file's too. The file is read in a process of its own: workers would keep what
    the master has loaded, even after a reload.
    """
    taken = getattr(server, "taken", {COMPLETE: ""})
    own = {name: value for name, value in os.environ.items() if name not in taken}
    command = [sys.executable, "-m", "project.production", *words, "--print-file"]
    try:
        found = json.loads(subprocess.run(command, check=True, cwd=chdir, env=own, stdout=subprocess.PIPE).stdout)
    except (subprocess.CalledProcessError, OSError, ValueError):  # whatever it is, the master must not end by it
        return False
    server.taken = {name: value for name, value in found.items() if own.get(name, value) == value} | {COMPLETE: "1"}
    for name in taken:
        os.environ.pop(name, None)
    os.environ.update(server.taken)
    return True


def post_fork(server, worker):
    """Binds a new worker's code and libraries to the release that the link names now.

    Later imports come from that release too, even if the link then names another one.
    """
    release = os.path.realpath(chdir)
    paths = [os.path.realpath(path) for path in sys.path]
    sys.path[:] = [release, *(path for path in paths if not os.path.exists(os.path.join(path, "gunicorn.conf.py")))]
    os.chdir(release)


COMPLETE = "DESK_ENVIRONMENT_COMPLETE"  # project/base/settings_table.py: a worker does not read the file itself
PROFILE = "DESK_PARTNERS_PROFILE"  # ... nor that of PARTNERS_FILE: this is its text
LOADED_WITHIN = 30  # seconds; without an answer by then gunicorn goes on as it does without these hooks

reloading = False
by_reload = range(0)  # gunicorn's numbers (age) of the workers by which a reload brings another profile into force
pipe = []  # its ends: by it the first new worker of a reload tells the master that it has loaded


def on_reload(server):
    """Takes new settings. Without them the new workers go on with the old ones: better than none."""
    global reloading, by_reload
    reloading, before = True, getattr(server, "taken", {}).get(PROFILE)
    if take_settings(server, "reload"):
        if before is not None and before != server.taken.get(PROFILE):
            by_reload = range(server.worker_age + 1, server.worker_age + 1 + server.cfg.workers)
    else:
        server.log.error("the new settings were not taken, for the reasons above: the old ones stay in force")


def pre_fork(server, worker):
    """At a reload the second new worker is made when the first has loaded.

    gunicorn sends the old workers away once it has made all new ones, loaded or not. Loading takes seconds, and on a
    busy machine more than the 10 in which BBOSS is to be answered. A first worker that dies closes the pipe.
    """
    global reloading
    if reloading:
        reloading = False
        pipe[:] = os.pipe()
    elif pipe:
        reader, writer = pipe
        pipe.clear()
        os.close(writer)
        if not select.select([reader], [], [], LOADED_WITHIN)[0]:
            server.log.warning("no new worker has loaded within %s s; the old ones end all the same", LOADED_WITHIN)
        os.close(reader)


def post_worker_init(worker):
    """Runs in a worker that has loaded: tells the master, and notes the start, for which no call waits."""
    if pipe:
        os.write(pipe[1], b"1")
        for end in pipe:
            os.close(end)
        pipe.clear()
    from integrations.base.other_desk import web

    web.changed = worker.age in by_reload
    threading.Thread(target=note_start, daemon=True).start()


def worker_exit(server, worker):
    """Says goodbye, if the application had loaded."""
    if "integrations.base.other_desk" in sys.modules and worker.booted:
        sys.modules["integrations.base.other_desk"].leave_web()


def note_start():
    """Names the settings that changed since the last start, then looks now and then whether this is another desk's
    process. What it needs exists once the application is loaded."""
    from django.db import connections

    from integrations.base.other_desk import watch_web
    from project.trail.settings_trail import note_settings

    note_settings()
    connections.close_all()
    watch_web()
