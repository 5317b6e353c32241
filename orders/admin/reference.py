"""Reference data that a site may correct (contract 3.1)."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orders.admin.service_names import service_name
from orders.models import Province, ServiceType


@admin.register(ServiceType)
class ServiceTypeAdmin(admin.ModelAdmin):
    list_display = ["code", "word", "cdn_type", "plains"]

    @admin.display(description=_("name"))
    def word(self, service):
        return service_name(service)


@admin.register(Province)
class ProvinceAdmin(admin.ModelAdmin):
    list_display = ["letters", "code", "name"]
    search_fields = ["letters__exact", "code__exact", "name__exact"]
    search_help_text = _("the whole name, letters or code")
