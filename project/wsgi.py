"""The WSGI entry point: `gunicorn project.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

from project.checks import stop_on_errors  # noqa: E402  its models need the apps to be ready

stop_on_errors()  # a wrong setting stops the web process as it stops every command
