"""Saved views in words: sentences and events."""

from django.utils.translation import gettext_lazy as _

from orders.rules.message import in_words

MESSAGES = in_words(
    {
        "view_name_blank": _("Give the view a name."),
        "view_name_long": _("The name is longer than %(most)s characters."),
        "view_exists": _("You have a view “%(name)s” of this list already."),
        "view_too_many": _("You have %(most)s views of this list. Delete one that you don't need."),
        "view_too_large": _("The filter is too long to be kept."),
        "view_not_your_role": _("You can share a view only with a role that you have."),
        "view_gone": _("Nothing was done: the view was deleted meanwhile."),
    }
)
EVENTS = {
    "view_saved": _("Saved a view of a list: %(name)s"),
    "view_changed": _("Changed a view of a list: %(name)s"),
    "view_renamed": _("Renamed a view of a list: %(name)s"),
    "view_shared": _("Shared a view of a list with %(role)s: %(name)s"),
    "view_unshared": _("No longer shares a view of a list: %(name)s"),
    "view_deleted": _("Deleted a view of a list: %(name)s"),
}
