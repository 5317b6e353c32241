"""Saved views of lists."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text


class SavedView(models.Model):
    """A named filter, order and column selection of a list, for its owner or shared with a role.

    `list_name` is the list's name in exports. `query` is the query string of the list's URL without page and columns:
    filters, search and order. `columns` are names of columns. An empty value means the default columns.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False, verbose_name=_("owner")
    )  # the constraint's index starts with this column
    role = models.ForeignKey(
        "auth.Group", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("shared with")
    )
    list_name = models.CharField(_("list"), max_length=32)
    name = models.CharField(_("name"), max_length=40)
    query = models.TextField(_("filter"), blank=True)
    columns = models.JSONField(_("columns"), default=list, blank=True)
    created_at = models.DateTimeField(_("saved at"))

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["pk"]
        default_permissions = ["view"]
        permissions = [("share_view", "Can share saved views with a role")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "list_name", "name"], name="one_view_per_owner_list_and_name")
        ]

    def __str__(self):
        """Shown in titles, links and logs. The name is masked, since users type it."""
        return mask_text(self.name)
