"""Gunicorn's configuration, read at its start and at each reload. deploy/README.md describes how a version is replaced.

nginx in front hands over whole requests, so nothing here bounds how slowly a caller may send one. This file imports
nothing of ours: workers would keep what the master has loaded, even after a reload.
"""

import os
import subprocess
import sys
from urllib.parse import quote

from gunicorn.glogging import Logger


class PathLogger(Logger):
    """Logs of an address only its path, percent-encoded: what people search for stands behind it, or in a referer."""

    def atoms(self, resp, req, environ, request_time):
        path = quote(environ.get("PATH_INFO") or "", encoding="latin-1")
        return super().atoms(resp, req, environ, request_time) | {"U": path}


logger_class = PathLogger
# Nothing else here comes from the caller as it is: neither query, referer and browser, nor the name of a basic log-in.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'

# The folder as the command line names it: in production it is the link to the current release. Without this line
# gunicorn would stay in the folder that the link named at its start, and a reload would load the old code again.
chdir = os.path.dirname(os.path.abspath(__file__))


def on_starting(server):
    """Reports what production lacks before anything listens. Gunicorn then ends with 1.

    The check runs in a process of its own: workers would keep what the master has loaded, even after a reload.
    """
    if subprocess.run([sys.executable, "-m", "project.production"], check=False).returncode:
        sys.exit(1)


def post_fork(server, worker):
    """Binds a new worker's code and libraries to the release that the link names now.

    Later imports come from that release too, even if the link then names another one.
    """
    release = os.path.realpath(chdir)
    paths = [os.path.realpath(path) for path in sys.path]
    sys.path[:] = [release, *(path for path in paths if not os.path.exists(os.path.join(path, "gunicorn.conf.py")))]
    os.chdir(release)
