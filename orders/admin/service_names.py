"""The names of service types. A type that a site has added is shown by its CDN type."""

from django.utils.translation import gettext_lazy as _

from orders.models import ServiceType

NAMES = {
    "web": _("Web pages"),
    "download": _("Downloads"),
    "vod": _("Video on demand"),
    "liveStream": _("Live streams"),
}


def service_name(service: ServiceType | None) -> str:
    """The name, or an empty text if the order has no service type."""
    return str(NAMES.get(service.cdn_type, service.cdn_type)) if service else ""
