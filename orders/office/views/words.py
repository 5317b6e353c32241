"""Sentences of saved views."""

from django.utils.translation import gettext_lazy as _

from orders.message import Message

MESSAGES = {
    "view_name_blank": Message(words=_("Give the view a name.")),
    "view_name_long": Message(words=_("The name is longer than %(most)s characters.")),
    "view_exists": Message(words=_("You have a view “%(name)s” of this list already.")),
    "view_too_many": Message(words=_("You have %(most)s views of this list. Delete one that you don't need.")),
    "view_too_large": Message(words=_("The filter is too long to be kept.")),
    "view_not_your_role": Message(words=_("You can share a view only with a role that you have.")),
    "view_gone": Message(words=_("Nothing was done: the view was deleted meanwhile.")),
}
