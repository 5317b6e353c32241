"""The base of all acts of staff: the class of their rows, and the forms that ask the reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions.bulk import Bulk
from orders.actions.preview_sentences import Foreseen
from orders.books.books import Look
from orders.lists.reason import reason_field
from orders.models import Dispatch, Order
from orders.texts.errors import OrderError

LOOKED_AT = gettext_lazy("what was seen there")
SEEN = ("jobId", "productId", "domain", "cancelStatus", "createTime", "cancelTime")


class ReasonForm(forms.Form):
    """Asks the reason. `seen`: the newest event on the page that the person came from."""

    reason = reason_field(help_text=gettext_lazy("It enters the order's history with your name."))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order

    def said(self, name: str, value: str) -> str:
        """An answer that was given to one of its fields, in words; also where the field is not asked any more."""
        if name == "look":
            return said_look(Look.read(value))
        field = self.fields.get(name) or self.base_fields.get(name)
        choices = {key: str(words) for key, words in getattr(field, "choices", ()) if key}
        return choices.get(value, value)

    def more(self) -> dict[str, str]:
        return {key: value for key, value in self.cleaned_data.items() if key not in {"reason", "seen"}}


class StepForm(ReasonForm):
    """The form of an act on a step: asks which step is meant; not asked where there is one only."""

    step = forms.ChoiceField(label=gettext_lazy("step"), required=False)
    field_order = ["step", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        offer(self, "step", ((row.step, row.get_step_display()) for row in self.rows()))

    def said(self, name, value):
        return str(dict(Dispatch.Step.choices).get(value, value)) if name == "step" else super().said(name, value)

    def rows(self) -> list[Dispatch]:
        raise NotImplementedError


def said_look(look: Look | None) -> str:
    """Words the records that a person saw at the big-data side, a record a line."""
    if look is None:
        return ""
    lines = [_("as of %(moment)s") % {"moment": f"{timezone.localtime(look.as_of):%Y-%m-%d %H:%M}"}]
    lines += [" ".join(row.get(name, "") for name in SEEN) for row in look.rows]
    return "\n".join(lines if look.rows else [*lines, _("none of the records is there")])


def offer(form: ReasonForm, name: str, choices: Iterable[tuple]) -> None:
    """The choices of a field, each once, after "all of them"; one alone is no choice."""
    choices = list(dict.fromkeys(choices))
    form.fields[name].choices = [("", _("all of them")), *choices]
    if len(choices) < 2:
        del form.fields[name]


@dataclass(kw_only=True, eq=False)
class Action:
    """One thing that staff may do, with a reason, to an order, an incident or many rows: a row of `all_actions.py`.

    `label` stands on the button, and `done` is said afterwards, unless `became` says what came of it. `danger`: it
    takes something away. `guarded`: it is asked about again where the order has changed since the person looked.
    `four_eyes`: its word in FOUR_EYES, where a second person can be wanted.

    `why_not` says why the present state does not allow it, by the service's own guard. It asks the database only about
    orders for which it may well be the right act. `offered`: of an incident, whether its page has a button for it in
    this state; what is wrong besides, the act's own page says. `service` gets what `given` reads from the facts, `by`,
    `reason`, `now`, what the form asks, and `held`.

    What will happen: `follows`, where one sentence says it of every order; `foresee`, which reads the order; or `says`,
    which reads the facts. `must_read`: sentences of `foresee`, by code, that follow from what the form asks; whoever
    does it must have read them. `preview`: a text that goes out by it, as `by` would send it now.

    `ask_partner` gets the order, `by` and what the form asks, outside any transaction, before it is decided. The
    service gets its answer as `held`. `bulk`: how it is done to many rows of a list.
    """

    key: str
    label: str | Promise
    permission: str
    service: Callable[..., Any]
    why_not: Callable[[Any], OrderError | None] = lambda facts: None
    offered: Callable[[Any], bool] = lambda facts: True
    done: str | Promise = ""
    became: Callable[[Any, Any], str | Promise] | None = None
    form: Any = ReasonForm
    danger: bool = False
    guarded: bool = True
    four_eyes: str = ""
    follows: str | Promise = ""
    foresee: Callable[..., Iterable[Foreseen]] | None = None
    says: Callable[..., list[str]] | None = None
    must_read: frozenset[str] = frozenset()
    preview: Callable[..., str] = lambda facts, by: ""
    ask_partner: Callable[..., object] | None = None
    given: Callable[[Any], dict[str, Any]] = lambda facts: {"number": facts.order.number}
    bulk: Bulk | None = None

    def __post_init__(self):
        if self.bulk:
            self.bulk.act, self.bulk.key = self, self.bulk.key or self.key

    @property
    def asks(self) -> bool:
        """Returns True if it says first what will happen, for templates: they would call `says`."""
        return bool(self.says or self.foresee or self.follows)

    def will(self, facts: Any, **asked: object) -> list[str]:
        """Returns the effects of the act, in sentences. `asked`: what the form asks besides the reason, once it is
        filled in. Raises OrderError."""
        if self.says:
            return self.says(facts, **asked)
        return sentences(self.foresee(facts.order, now=facts.now, **asked)) if self.foresee else [str(self.follows)]

    def warnings(self, facts: Any, **asked: object) -> list[str]:
        """The sentences that whoever decides must have read; none before the form is filled in. Raises OrderError."""
        if not (self.must_read and self.foresee and asked):
            return []
        return sentences(row for row in self.foresee(facts.order, now=facts.now, **asked) if row.code in self.must_read)

    def act(self, facts: Any, *, by: str, reason: str, **more: object) -> str | Promise:
        """Calls the one service, on the locked order; returns what came of it, empty where `done` says it. `more`: what
        the form asks besides the reason, and `held`. Raises OrderError."""
        found = self.service(**self.given(facts), by=by, reason=reason, now=facts.now, **more)
        return self.became(facts, found) if self.became else ""


def sentences(foreseen: Iterable[Foreseen]) -> list[str]:
    return [row.words() for row in foreseen]
