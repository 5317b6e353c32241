"""Gunicorn's configuration, read at its start and at each reload. deploy/README.md describes how a version is replaced.

A caller that sends its request head too slowly is cut off. nginx in front is never that slow, but without nginx eight
such callers would hold all threads. This file imports nothing of ours: workers would keep what the master has loaded,
even after a reload.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from urllib.parse import quote

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10
LINGER_SECONDS = 2  # how long we read on after our last answer, so that the caller gets to read it


class InTimeWorker(ThreadWorker):
    """Bounds how long a slow caller holds a thread.

    The main thread, which accepts calls and reports that we are alive, is never held. `integrations.inbound.body`
    bounds the bodies.
    """

    def init_process(self):
        self.heads = {}
        super().init_process()

    def handle(self, conn):
        self.heads[conn] = time.monotonic() + HEAD_SECONDS
        try:
            kept = super().handle(conn)
        finally:
            self.heads.pop(conn, None)
        if not kept:
            self._linger(conn.sock)
        return kept

    def handle_request(self, req, conn):
        self.heads.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self):
        """Runs at least once a second, in the thread that also closes connections."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self.heads.items()):
            if until < now:
                with contextlib.suppress(OSError):  # gone already
                    conn.sock.shutdown(socket.SHUT_RD)  # the thread then reads the end of the stream

    def _linger(self, sock):
        """Waits here for what the caller still sends.

        The main thread would wait for it too; now it finds that the stream has ended.
        """
        until = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError):  # gone, or silent until the time-out
            sock.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(65536):
                    break
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


worker_class = InTimeWorker


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
