#!/usr/bin/env python
"""Django's command line for the order desk."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from project.start.command_line import run

    run(sys.argv)
