"""Signs of life of the clusters."""

from django.contrib import admin

from integrations.models import Heartbeat, Turn
from orders.admin.read_only import ReadOnlyAdmin


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["cluster", "started_at", "seen_at", "replaced"]


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["name", "holder", "until"]
