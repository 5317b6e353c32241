"""Service types in words; a type that a site has added keeps its CDN type."""

from django.utils.translation import gettext_lazy as _

from orders.models import ServiceType

NAMES = {
    "web": _("Web pages"),
    "download": _("Downloads"),
    "vod": _("Video on demand"),
    "liveStream": _("Live streams"),
}


def service_name(service: ServiceType | None) -> str:
    """Empty where the order has none."""
    return str(NAMES.get(service.cdn_type, service.cdn_type)) if service else ""
