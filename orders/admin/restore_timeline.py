"""Timelines: the periods between restores of the database."""

from django.utils.translation import gettext_lazy as _

from orders.lists.cells import actor_field, column, json_block
from orders.lists.personal_data import masked_field
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import ENGINE_ROOM, Section, register_list
from orders.lists.scope import UnlimitedOnly
from orders.models import Timeline


@register_list(Timeline, menu=(Section.ENGINE, 90), readers=ENGINE_ROOM)
class TimelineAdmin(UnlimitedOnly, ReadOnlyAdmin):
    who = actor_field("begun_by", _("begun by"))
    list_display = ["begun_at", "who", "why", "restored_at", "name"]
    why = masked_field("reason", _("reason"))
    how = column(_("how that is known"), lambda obj: json_block(obj.restored))
    fields = ["name", "begun_at", "who", "why", "last_order", "last_attempt", "last_event", "restored_at", "how"]
