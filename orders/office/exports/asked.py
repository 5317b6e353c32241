"""Data of the page where a second person confirms an export of personal data (contract 3.11)."""

import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from orders.actions.asked_decision import EffectsPreview
from orders.models import AskedAct
from orders.office.exports.export_jobs import judge_export
from orders.office.exports.lists import title_of_export
from orders.office.exports.models import Export
from orders.texts.errors import NotAllowedError


class AskedExport:
    danger = False
    details: tuple = ()

    def __init__(self, row: AskedAct):
        self.row = row
        self.export = Export.objects.filter(pk=row.target).first()  # None if it was deleted directly in the database

    @property
    def label(self) -> str:
        return str(self.row.get_act_display())

    @property
    def name(self) -> str:
        title = title_of_export(self.export.list_name) if self.export else self.label
        return f"{title} #{self.row.target}"

    @property
    def address(self) -> str:
        return reverse("admin:orders_export_change", args=[self.row.target])

    def preview_effects(self, *, now: datetime.datetime) -> EffectsPreview:
        """Returns the effects without the filter, since it may contain names. The export's own page shows the filter to
        users who may read it."""
        if self.export is None:
            return EffectsPreview(why_not=NotAllowedError("ask_over").words())
        return EffectsPreview(will=[_("A worker writes the file, with people's data unmasked; its maker fetches it.")])

    def confirm(self, *, judge, last_event_id: int, told: str, now: datetime.datetime) -> str:
        if self.export is None:
            raise NotAllowedError("ask_over")
        judge_export(pk=self.row.target, agree=True, reason="", judge=judge, now=now)
        return ""
