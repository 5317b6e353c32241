"""Signs of life of the clusters, and what is known of the partners' health."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from integrations.models import Breaker, Heartbeat, Turn
from orders.admin.moments import ago
from orders.admin.read_only import ReadOnlyAdmin


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["cluster", "started_at", "seen", "replaced"]

    @admin.display(description=_("last sign of life"), ordering="seen_at")
    def seen(self, obj):
        return ago(obj.seen_at)


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["name", "holder", "until"]


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin, admin.ModelAdmin):
    list_display = ["partner", "breaker_chip", "failures", "opened_at", "probe_at", "last_error"]

    @admin.display(description=_("breaker"))
    def breaker_chip(self, obj):
        tone, word = ("red", _("Open: calls wait")) if obj.opened_at else ("green", _("Closed: calls go out"))
        return format_html('<span class="chip chip-{}">{}</span>', tone, word)
