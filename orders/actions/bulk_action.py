"""Bulk actions on rows of a list: the selection, the confirmation form, and the dry run of each row."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.functional import Promise

from orders.db.unstorable_values import MOST_ID
from orders.history.actors import actor_kept
from orders.lists.reason import reason_field
from orders.texts.error_messages import say_why


class BulkForm(forms.Form):
    """Confirmation form of a bulk run. `draft`: the id of the draft with the rows on the page."""

    reason = reason_field(autofocus=False)
    draft = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=MOST_ID)

    def details(self) -> dict[str, str]:
        return {name: value for name, value in self.cleaned_data.items() if name not in BulkForm.base_fields}

    @staticmethod
    def said(field: forms.Field, value: str) -> str:
        """Returns the display text of a field's value."""
        return str(dict(getattr(field, "choices", ())).get(value, value))


@dataclass(frozen=True)
class Judged:
    """The dry run's result for a row of a bulk run. Rows are counted by `kind`. `words` is about this row alone.
    `acts`: the run would change the row."""

    row: Any
    kind: str | Promise
    words: str | Promise
    acts: bool = True


@dataclass(kw_only=True, eq=False)
class Bulk:
    """A bulk action on rows of `model`. `key`: used in `BulkRun.act` and URLs, by default the action's key.

    `chooser` is a form that filters the rows. `narrow` applies the form's values, which are in the URL and are stored
    in the run's details. `judge` returns the dry run of rows. `service` (by default the action's service) is called for
    each row. `given` makes its arguments from the row, the run and the id of the run's maker. `ended` notifies the
    people concerned when a run is done or stopped. A stopped run may be continued, and then ends again. `say_why`
    returns the reason why a row was not carried out, in the reader's language, or an empty string. `large`: columns
    that neither preview nor action reads.
    """

    model: type[Model]
    judge: Callable[[Sequence[Any], dict], list[Judged]]
    given: Callable[[Any, Any, int], dict[str, Any]]
    service: Callable[..., object] | None = None
    form: type[BulkForm] = BulkForm
    chooser: type[forms.Form] | None = None
    narrow: Callable[[QuerySet, dict], QuerySet] = lambda rows, asked: rows
    name_of: Callable[[Any], str] = lambda row: row.number
    ended: Callable[[Any], None] = lambda run: None
    say_why: Callable[[dict], str] = say_why
    large: tuple[str, ...] = ("content",)
    key: str = ""
    act: Any = None
    """The `Action`, set by its `__post_init__`."""

    def may_see(self, user: Any) -> bool:
        return user.has_perm(f"orders.view_{self.model._meta.model_name}")

    def is_allowed(self, user: Any) -> bool:
        return self.may_see(user) and user.has_perm(self.act.permission)

    def read(self, ids: Sequence[int]) -> dict[int, Any]:
        return self.model._base_manager.defer(*self.large).in_bulk(ids)

    def judge_ids(self, ids: Sequence[int], asked: dict) -> list[Judged]:
        found = self.read(ids)
        return self.judge([found[pk] for pk in ids if pk in found], asked)

    def carry_out(self, row: Any, run: Any, *, owner: int) -> None:
        """Calls the service for one row, in a transaction. Raises OrderError."""
        about = {"by": actor_kept(run.by, run.maker_id), "reason": run.reason, "now": timezone.now()}
        (self.service or self.act.service)(**self.given(row, run, owner), **about)

    def details_of(self, run: Any) -> list[tuple[str, str]]:
        """Returns labels and display texts of the forms' values except the reason."""
        fields = {**(self.chooser.base_fields if self.chooser else {}), **self.form.base_fields}
        known = [(name, field) for name, field in fields.items() if run.details.get(name)]
        return [(str(field.label), self.form.said(field, run.details[name])) for name, field in known]


def each(judge_one: Callable[[Any], Judged]) -> Callable[[Sequence[Any], dict], list[Judged]]:
    return lambda rows, asked: [judge_one(row) for row in rows]


def asked_of(run: Any) -> dict:
    """Returns the values of the run's `chooser` form, converted for `judge`."""
    since = run.details.get("since")
    return run.details | {"since": datetime.date.fromisoformat(since) if since else None}
