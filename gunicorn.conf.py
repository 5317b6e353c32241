"""Read by gunicorn itself. What production lacks is named once, before anything listens; gunicorn then ends with 1."""

import subprocess
import sys


def on_starting(server):
    """In a process of its own: what the master has loaded, its workers would keep over a reload."""
    if subprocess.run([sys.executable, "-m", "project.production"], check=False).returncode:
        sys.exit(1)
