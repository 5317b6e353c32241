"""Read by gunicorn itself, at its start and at each reload. deploy/README.md says how a new version takes over."""

import os
import subprocess
import sys

# As the command line names it: in production through the link to the release in use. Without it gunicorn would stay in
# the folder to which the link led at its start, and a reload would load the old code again.
chdir = os.path.dirname(os.path.abspath(__file__))


def on_starting(server):
    """What production lacks is named once, before anything listens; gunicorn then ends with 1.

    In a process of its own: what the master has loaded, its workers would keep over a reload.
    """
    if subprocess.run([sys.executable, "-m", "project.production"], check=False).returncode:
        sys.exit(1)


def post_fork(server, worker):
    """Binds a new worker to the release that the link leads to at this moment, its code and its libraries.

    What it loads later comes from there too, though the link may lead to another release by then.
    """
    release = os.path.realpath(chdir)
    paths = [os.path.realpath(path) for path in sys.path]
    sys.path[:] = [release, *(path for path in paths if not os.path.exists(os.path.join(path, "gunicorn.conf.py")))]
    os.chdir(release)
