"""Lists whose rows can be ticked for an act on many; the buttons stand above the list (includes/bulk_bar.html)."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.office.bulk.acts import acts_on
from orders.office.bulk.selection import PICK


class TickedList:
    """The part of a ModelAdmin that adds the column. It is the last: addresses name columns to sort by their place."""

    def get_list_display(self, request):
        shown = super().get_list_display(request)
        return [*shown, "tick"] if acts_on(self.model, request.user) else shown

    @admin.display(description=gettext_lazy("rows of this page"))
    def tick(self, obj):
        name = _("Choose %(row)s") % {"row": self.heading(obj)}
        return format_html(
            '<input type="checkbox" name="{}" value="{}" form="bulk" aria-label="{}">', PICK, obj.pk, name
        )
