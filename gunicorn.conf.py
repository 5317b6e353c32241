"""gunicorn reads this file at its start and at each reload. deploy/README.md says how a new version takes over.

The worker class gives up callers that send the head of a request too slowly. nginx is never so slow, but without nginx
eight such callers would hold all threads. This file imports nothing of ours: workers keep what the master has loaded,
even over a reload.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time

from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10
LINGER_SECONDS = 2  # how long a caller may still send after our last answer, so that it gets to read that answer


class InTimeWorker(ThreadWorker):
    """Slow callers hold a thread for a limited time, and never the main thread, which accepts and shows that we live.

    `integrations.inbound.body` limits the bodies.
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
        """Called at least once a second, by the thread that also closes connections."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in list(self.heads.items()):
            if until < now:
                with contextlib.suppress(OSError):  # gone already
                    conn.sock.shutdown(socket.SHUT_RD)  # the thread then reads the end of the stream

    def _linger(self, sock):
        """Waits in this thread for what the caller still sends; otherwise the main thread would wait for it."""
        until = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError):  # gone, or silent for so long
            sock.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(65536):
                    break
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


worker_class = InTimeWorker

# The folder as the command line names it: in production through the link to the release in use. Otherwise gunicorn
# would stay in the folder that the link led to at its start, and a reload would load the old code again.
chdir = os.path.dirname(os.path.abspath(__file__))


def on_starting(server):
    """Names what production lacks once, before anything listens; gunicorn then ends with exit code 1.

    The check runs in a process of its own: workers keep what the master has loaded, even over a reload.
    """
    if subprocess.run([sys.executable, "-m", "project.production"], check=False).returncode:
        sys.exit(1)


def post_fork(server, worker):
    """Binds a new worker to the code and libraries of the release that the link leads to now.

    What it loads later comes from there too, even if the link leads to another release by then.
    """
    release = os.path.realpath(chdir)
    paths = [os.path.realpath(path) for path in sys.path]
    sys.path[:] = [release, *(path for path in paths if not os.path.exists(os.path.join(path, "gunicorn.conf.py")))]
    os.chdir(release)
