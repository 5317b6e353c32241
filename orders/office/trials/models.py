"""Uploaded workbooks of trials, until they are confirmed."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_text


class TrialUpload(models.Model):
    """An uploaded workbook. Only its maker may see its content. `report` holds the result of each row.

    The file is kept until it is imported or its maker uploads another file. It is kept for at most a day, since it
    contains personal data. An unreadable file is stored as a row without file and report, so that the upload is
    counted.
    """

    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("made by"))
    made_at = models.DateTimeField(_("made at"), db_index=True)
    file_name = models.CharField(_("file name"), max_length=255)
    data = models.BinaryField(_("file"))
    corrections = models.JSONField(
        _("corrections"), null=True, blank=True, help_text=_("{cell: text} that its maker put right in the page")
    )
    trials = models.PositiveIntegerField(_("trials"))
    report = models.JSONField(_("report"))
    imported_at = models.DateTimeField(_("imported at"), null=True, blank=True)

    class Meta:
        verbose_name = _("upload of trials")
        verbose_name_plural = _("uploads of trials")
        default_permissions = ["view"]
        permissions = [("enter_trial", "Can enter trials by hand")]
        ordering = ["-pk"]

    def __str__(self):
        """Shown in titles, links and logs. The name is masked, since users type it."""
        return mask_text(self.file_name)
