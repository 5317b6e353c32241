"""What actions on many rows have in common: the class of each, the form that confirms, what a dry run says of a row."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise

from orders.db.odd_values import MOST_ID
from orders.history.people import actor_kept
from orders.lists.reason import reason_field
from orders.office.bulk.models import BulkRun
from orders.texts.error_messages import say_why


class ReasonForm(forms.Form):
    """Confirms a run. `draft` is the id of the draft whose rows the page showed."""

    reason = reason_field(autofocus=False)
    draft = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=MOST_ID)

    def details(self) -> dict[str, str]:
        return {name: value for name, value in self.cleaned_data.items() if name not in ReasonForm.base_fields}


@dataclass(frozen=True)
class Judged:
    """What would happen to a row. Rows are counted by `kind`; `words` is about this one. `acts`: something would."""

    row: Model
    kind: str | Promise
    words: str | Promise
    acts: bool = True


class BulkAct:
    """An action on many rows of a list.

    `chooser` is a form that selects among the rows. Its values are in the URL and are stored in the run's details.
    """

    key: ClassVar[str]
    model: ClassVar[type[Model]]
    permission: ClassVar[str]
    form: ClassVar[type[ReasonForm]] = ReasonForm
    chooser: ClassVar[type[forms.Form] | None] = None
    large: ClassVar[tuple[str, ...]] = ("content",)  # columns that neither preview nor action reads

    @property
    def label(self) -> str | Promise:
        return BulkRun.Act(self.key).label

    @property
    def model_admin(self) -> admin.ModelAdmin:
        return admin.site.get_model_admin(self.model)

    def may_see(self, user) -> bool:
        return user.has_perm(f"orders.view_{self.model._meta.model_name}")

    def is_allowed(self, user) -> bool:
        return self.may_see(user) and user.has_perm(self.permission)

    def rows_for(self, user) -> QuerySet:
        request = HttpRequest()
        request.user = user
        return self.model_admin.get_queryset(request).defer(*self.large)

    def narrow(self, rows: QuerySet, asked: dict) -> QuerySet:
        return rows

    def judge(self, ids: Sequence[int], asked: dict) -> list[Judged]:
        found = self.model._base_manager.defer(*self.large).in_bulk(ids)
        return [self.judge_one(found[pk]) for pk in ids if pk in found]

    def judge_one(self, row: Any) -> Judged:
        raise NotImplementedError

    def name_of(self, row: Any) -> str:
        return row.number

    def carry_out(self, row: Any, run: BulkRun, *, owner: int) -> None:
        """Calls the service for one row, in a transaction. Raises OrderError."""
        raise NotImplementedError

    def details_of(self, run: BulkRun) -> list[tuple[str, str]]:
        """What the forms asked besides the reason, in words: titles and answers."""
        fields = {**(self.chooser.base_fields if self.chooser else {}), **self.form.base_fields}
        known = [(name, field) for name, field in fields.items() if run.details.get(name)]
        return [(str(field.label), self.say_detail(field, run.details[name])) for name, field in known]

    def say_detail(self, field: forms.Field, value: str) -> str:
        return str(dict(getattr(field, "choices", ())).get(value, value))

    def ended(self, run: BulkRun) -> None:
        """Tells whom it concerns, once the run is done or was stopped. A stopped one may go on, and end again."""

    def say_why(self, why: dict) -> str:
        """Why a row was not carried out, in the reader's language; empty if it was."""
        return say_why(why)


def asked_of(run: BulkRun) -> dict:
    """What the run's chooser was told, as `judge` takes it."""
    since = run.details.get("since")
    return run.details | {"since": datetime.date.fromisoformat(since) if since else None}


def maker_of(run: BulkRun) -> str:
    return actor_kept(run.by, run.maker_id)
