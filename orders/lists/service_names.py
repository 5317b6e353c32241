"""The names of service types, and the filter by them. A type that a site has added is shown by its CDN type."""

from django.contrib.admin.filters import RelatedFieldListFilter
from django.utils.translation import gettext_lazy as _

from orders.models import ServiceType
from orders.trials.trial_state_reads import SERVICE_NOW

NAMES = {
    "web": _("Web pages"),
    "download": _("Downloads"),
    "vod": _("Video on demand"),
    "liveStream": _("Live streams"),
}


def service_name(service: ServiceType | None) -> str:
    """Returns the name, or an empty string without a service type."""
    return str(NAMES.get(service.cdn_type, service.cdn_type)) if service else ""


class ServicesInWords(RelatedFieldListFilter):
    """Filters by the service type that the row shows, under the shown name. A change may have modified the row's
    type."""

    name_of = staticmethod(service_name)

    def field_choices(self, field, request, model_admin):
        return [(service.pk, self.name_of(service)) for service in ServiceType.objects.order_by("pk")]

    def queryset(self, request, queryset):
        rows, asked = queryset.alias(service_now=SERVICE_NOW), self.used_parameters
        if self.lookup_kwarg in asked:
            rows = rows.filter(service_now__in=asked[self.lookup_kwarg])
        if self.lookup_kwarg_isnull in asked:
            rows = rows.filter(service_now__isnull=asked[self.lookup_kwarg_isnull][-1])
        return rows
