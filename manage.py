#!/usr/bin/env python
"""Django's command line for the order desk."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a setting that is missing or wrong: its name says all, a traceback hides it
        sys.exit(f"{sys.argv[0]}: {error}")
    except OperationalError as error:
        sys.exit(f"{sys.argv[0]}: the database does not answer, or lacks its migrations: {str(error).strip()}")
