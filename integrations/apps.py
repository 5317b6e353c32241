"""The partners: BBOSS, BPM, big data, and the delivery between us and them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    """What speaks HTTP, and the work queue."""

    name = "integrations"
    verbose_name = _("Integrations")
