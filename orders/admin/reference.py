"""Reference data that a site may correct (contract 3.1)."""

from django.contrib import admin

from orders.models import Province, ServiceType


@admin.register(ServiceType)
class ServiceTypeAdmin(admin.ModelAdmin):
    list_display = ["code", "cdn_type", "plains"]


@admin.register(Province)
class ProvinceAdmin(admin.ModelAdmin):
    list_display = ["letters", "code", "name"]
    search_fields = ["letters__exact", "code__exact", "name__exact"]
