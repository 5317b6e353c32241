"""Gunicorn's configuration, read at start and at each reload. deploy/README.md describes how a release is replaced.

nginx buffers requests, so this file sets no limit for slow clients. It imports no module of this project at the top
level: workers would keep the modules that the master has loaded, even after a reload.
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
    """Formats gunicorn's own log lines like the application's (LOG_FORMAT)."""

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
    """Writes no access log: the application logs each request, with its caller and outcome."""

    def setup(self, cfg):
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(OwnLines())

    def access(self, *args):
        pass


logger_class = DeskLogger

# The folder as written on the command line: in production a symlink to the current release. Without this setting
# gunicorn would stay in the folder to which the link pointed at its start, and a reload would load the old code again.
chdir = os.path.dirname(os.path.abspath(__file__))


def on_starting(server):
    """Checks the production settings before gunicorn listens. If the check fails, prints the reasons and exits with
    1."""
    if not take_settings(server):
        sys.exit(1)


def take_settings(server, *words):
    """Puts the values of `.env` into the environment of future workers. If they are invalid, prints the reasons,
    changes nothing and returns False.

    All workers then have the same values until the next reload, even if the file changes meanwhile. Values that systemd
    read from the same file (EnvironmentFile) are updated too. A subprocess reads the file: workers would keep the
    modules that the master has loaded, even after a reload.
    """
    taken = getattr(server, "taken", {COMPLETE: ""})
    own = {name: value for name, value in os.environ.items() if name not in taken}
    command = [sys.executable, "-m", "project.production", *words, "--print-file"]
    try:
        found = json.loads(subprocess.run(command, check=True, cwd=chdir, env=own, stdout=subprocess.PIPE).stdout)
    except (subprocess.CalledProcessError, OSError, ValueError):  # no error here may end the master
        return False
    server.taken = {name: value for name, value in found.items() if own.get(name, value) == value} | {COMPLETE: "1"}
    for name in taken:
        os.environ.pop(name, None)
    os.environ.update(server.taken)
    return True


def post_fork(server, worker):
    """Binds a new worker's code and libraries to the release to which the link points now.

    Later imports come from the same release, even if the link has changed by then.
    """
    release = os.path.realpath(chdir)
    paths = [os.path.realpath(path) for path in sys.path]
    sys.path[:] = [release, *(path for path in paths if not os.path.exists(os.path.join(path, "gunicorn.conf.py")))]
    os.chdir(release)


COMPLETE = "DESK_ENVIRONMENT_COMPLETE"  # project/base/settings_table.py: a worker does not read `.env` itself
PROFILE = "DESK_PARTNERS_PROFILE"  # ... nor PARTNERS_FILE: this variable has its text
LOADED_WITHIN = 30  # seconds until gunicorn continues without waiting for the new worker

reloading = False
by_reload = range(0)  # gunicorn's numbers (`age`) of workers started by a reload that changes the profile
pipe = []  # (reader, writer): the first new worker of a reload writes to it once it has loaded


def on_reload(server):
    """Reads the settings anew. If they are invalid, the new workers get the old ones."""
    global reloading, by_reload
    reloading, before = True, getattr(server, "taken", {}).get(PROFILE)
    if take_settings(server, "reload"):
        if before is not None and before != server.taken.get(PROFILE):
            by_reload = range(server.worker_age + 1, server.worker_age + 1 + server.cfg.workers)
    else:
        server.log.error("the new settings were not taken, for the reasons above: the old ones stay in force")


def pre_fork(server, worker):
    """At a reload, delays the second new worker until the first one has loaded.

    gunicorn stops the old workers once it has forked all new ones, even if none has loaded. Loading takes seconds, and
    on a busy machine longer than the 10 s within which BBOSS must get its answer. If the first worker dies, its end of
    the pipe is closed and the wait ends.
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
    """Runs in a worker that has loaded: notifies the master, and records the start in a thread, so that no request
    waits."""
    if pipe:
        os.write(pipe[1], b"1")
        for end in pipe:
            os.close(end)
        pipe.clear()
    from integrations.base.other_desk import web

    web.changed = worker.age in by_reload
    threading.Thread(target=note_start, daemon=True).start()


def worker_exit(server, worker):
    """Deletes the worker's row in the database, if the application had loaded."""
    if "integrations.base.other_desk" in sys.modules and worker.booted:
        sys.modules["integrations.base.other_desk"].unregister_web()


def note_start():
    """Logs the settings that changed since the last start, then checks repeatedly whether this process belongs to
    another desk. Its imports need the loaded application."""
    from django.db import connections

    from integrations.base.other_desk import watch_web
    from project.trail.settings_trail import note_settings

    note_settings()
    connections.close_all()
    watch_web()
