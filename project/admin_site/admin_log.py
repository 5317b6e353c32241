"""The page of Django's admin log (changes of accounts, contacts, reference data and limits), for auditors."""

from django.contrib.admin.models import LogEntry
from django.utils.translation import gettext_lazy as _

from orders.admin.journal_values import entry_words
from orders.history.actors import name_of
from orders.lists.cells import column
from orders.lists.filter_kinds import day_filter
from orders.lists.personal_data import mask_text_or_json
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.registration import AUDITORS, Section, register_list
from orders.lists.scope import UnlimitedOnly


@register_list(
    LogEntry,
    menu=(Section.TRACE, 30),
    needed_by=AUDITORS,
    empty=_("Nobody has changed accounts, contacts or settings yet."),
    readers=AUDITORS,
)
class JournalAdmin(UnlimitedOnly, ReadOnlyAdmin):
    """Django's admin log. Changes of orders are recorded as events instead. No change is recorded in both places."""

    list_per_page = 100
    ordering = ["-pk"]
    list_display = ["action_time", "who", "content_type", "object_words", "what"]
    list_filter = ["action_flag", day_filter("action_time", _("at"), parameter="at")]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__username__exact", "object_id__exact"]
    search_help_text = _("the whole user name, or the number of the object")
    fields = ["action_time", "who", "content_type", "object_id", "object_words", "what"]

    def get_object(self, request, object_id, from_field=None):
        """Returns the entry with its text and object masked, as in the list."""
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.object_repr, entry.change_message = map(mask_text_or_json, (entry.object_repr, entry.change_message))
        return entry

    who = column(_("by"), lambda entry: name_of(entry.user.get_username()))
    what = column(_("what was done"), entry_words)
    object_words = column(_("object"), lambda entry: mask_text_or_json(entry.object_repr))
