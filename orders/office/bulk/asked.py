"""Data of the page where a second person confirms a bulk run (contract 3.11, `bulk:N`)."""

import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language, override

from notifications.mail_rendering import LANGUAGE
from orders.actions.all_actions import BULK_ACTS
from orders.actions.asked_decision import Foreseen
from orders.actions.bulk_action import asked_of
from orders.actions.run_action import ForeseenOtherwiseError, digest_of
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

    def foresee(self, *, now: datetime.datetime) -> Foreseen:
        if self.run is None:
            return Foreseen(why_not=NotAllowedError("bulk_over").words())
        with override(LANGUAGE):
            foreseen = foresee_run(self.run)
        will = foreseen if get_language() == LANGUAGE else foresee_run(self.run)
        before = self.row.told if self.row.told != foreseen else []
        return Foreseen(will=will, told=digest_of(foreseen), before=before)

    def confirm(self, *, judge, seen: int, told: str, now: datetime.datetime) -> str:
        if self.run is None:
            raise NotAllowedError("bulk_over")
        with override(LANGUAGE):
            if digest_of(foresee_run(self.run)) != told:
                raise ForeseenOtherwiseError
        check_quota(BulkRun, self.run.maker_id)
        with transaction.atomic():
            by = confirm(self.row, judge=judge, now=now)
            run = start_asked(pk=self.row.target, by=by, now=now)
            queue(run)
        return ""


def foresee_run(run: BulkRun) -> list[str]:
    """Returns a preview: how many of the run's first rows have each expected result, in the current language."""
    first = list(run.items.order_by("target").values_list("target", flat=True)[:JUDGED])
    return [f"{number:,} × {kind}" for kind, number in count_kinds(BULK_ACTS[run.act].judge_ids(first, asked_of(run)))]
