"""The WSGI entry point: `gunicorn project.wsgi`."""

import gc
import logging
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from integrations.base.database_deadline import PAGE_SECONDS, limit_statements
from project import __version__
from project.call_stack import with_large_frame

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
NOT_LOADED = 4  # gunicorn stops at this exit code instead of starting workers again and again
logger = logging.getLogger("project")

limit_statements(PAGE_SECONDS)
gc.disable()  # off until all is loaded, as in project/start/command_line.py

try:
    application = with_large_frame(get_wsgi_application())

    from project.checks import stop_on_errors  # imported here: its models need loaded apps

    stop_on_errors()  # a wrong setting stops the web process as it stops every command
    logger.info("web starts: IBS Order Desk %s", __version__)
except ImproperlyConfigured as error:  # its text names the setting; a traceback would bury it
    for line in str(error).splitlines():
        print(f"the web process can't start: {line}", file=sys.stderr, flush=True)
    sys.exit(NOT_LOADED)
finally:
    gc.freeze()
    gc.enable()
