"""Data of the page where a second person confirms a bulk run (contract 3.11, `bulk:N`)."""

import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language, override

from notifications.mail_rendering import LANGUAGE
from orders.actions.all_actions import BULK_ACTS
from orders.actions.asked_decision import EffectsPreview
from orders.actions.bulk_action import asked_of
from orders.actions.run_action import PreviewChangedError, digest_of
from orders.models import AskedAct
from orders.office.bulk.acts import count_kinds
from orders.office.bulk.bulk_runs import start_asked
from orders.office.bulk.models import BulkRun
from orders.office.bulk.selection import JUDGED
from orders.office.jobs import check_quota, queue
from orders.people.asked_acts import confirm
from orders.texts.errors import NotAllowedError


class AskedRun:
    danger = True

    def __init__(self, row: AskedAct):
        self.row = row
        self.run = BulkRun.objects.filter(pk=row.target).first()

    @property
    def label(self) -> str:
        return str(self.run.get_act_display() if self.run else self.row.get_act_display())

    @property
    def name(self) -> str:
        return f"#{self.row.target}"

    @property
    def address(self) -> str:
        return reverse("admin:orders_bulkrun_change", args=[self.row.target])

    @property
    def details(self) -> list[tuple[str, str]]:
        if self.run is None:
            return []
        rows = str(BulkRun._meta.get_field("total").verbose_name)
        asked = BULK_ACTS[self.run.act].details_of(self.run)
        return [(rows, f"{self.run.total:,}"), *((title, value) for title, value in self.run.words), *asked]

    def preview_effects(self, *, now: datetime.datetime) -> EffectsPreview:
        if self.run is None:
            return EffectsPreview(why_not=NotAllowedError("bulk_over").words())
        with override(LANGUAGE):
            preview = preview_run(self.run)
        will = preview if get_language() == LANGUAGE else preview_run(self.run)
        before = self.row.told if self.row.told != preview else []
        return EffectsPreview(will=will, told=digest_of(preview), before=before)

    def confirm(self, *, judge, last_event_id: int, told: str, now: datetime.datetime) -> str:
        if self.run is None:
            raise NotAllowedError("bulk_over")
        with override(LANGUAGE):
            if digest_of(preview_run(self.run)) != told:
                raise PreviewChangedError
        check_quota(BulkRun, self.run.maker_id)
        with transaction.atomic():
            by = confirm(self.row, judge=judge, now=now)
            run = start_asked(pk=self.row.target, by=by, now=now)
            queue(run)
        return ""


def preview_run(run: BulkRun) -> list[str]:
    """Returns a preview in the current language. It counts the run's first rows by their expected result."""
    first = list(run.items.order_by("target").values_list("target", flat=True)[:JUDGED])
    return [f"{number:,} × {kind}" for kind, number in count_kinds(BULK_ACTS[run.act].judge_ids(first, asked_of(run)))]
