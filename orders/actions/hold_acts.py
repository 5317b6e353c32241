"""Staff actions that release a held order: waive its files, choose its attribution, enter its domains, or proceed
although its trial is closed. An action for the attribution of other orders is here too."""

import re
from collections import Counter

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.actions import action_previews
from orders.actions.action import Action, ReasonForm
from orders.actions.bulk_action import Bulk, BulkForm, Judged, each
from orders.attachments.files_hold import waive_files, why_not_waive
from orders.attachments.preview import findings_of
from orders.intake.replan_held_orders import (
    choose_attribution,
    name_domains,
    proceed,
    why_not_attribute,
    why_not_name_domains,
    why_not_proceed,
)
from orders.models import Dispatch, Order, Province
from orders.order_words.error_details import of_finding
from orders.order_words.ladder.step_stages import Facts
from orders.rules.content import MAX_DOMAINS
from orders.rules.four_eyes_acts import is_asked
from orders.rules.host_names import domain_fault, domain_key
from orders.start_day.move_attribution import move_attribution, why_not_move_attribution
from orders.texts.error_messages import say_why
from orders.texts.errors import NotAllowedError
from orders.texts.incident_texts import cause_of


def _waiving(facts: Facts) -> list[str]:
    """Returns the waived findings, followed by the effects."""
    found = facts.of(lambda row: row.step == Dispatch.Step.CHECK_FILES and row.error_code)
    return [
        *(_say(one) for row in found for one in findings_of(row) if one["code"]),
        _("The order goes on although its info-security files are not right."),
        _("The reason enters the approval history, for good."),
    ]


def _say(one: dict) -> str:
    what = f"{one['file']}{_(': ')}{cause_of(one['code']).what} {of_finding(one)}"
    return _("Found: %(what)s") % {"what": what}


WAIVE = Action(
    key="waive",
    label=gettext_lazy("Waive the finding"),
    permission="orders.waive_finding",
    four_eyes="waive",
    done=gettext_lazy("The finding is waived; the order goes on."),
    why_not=lambda facts: why_not_waive(facts.order),
    says=_waiving,
    service=waive_files,
)


def _places() -> list[tuple[str, str]]:
    return [("", "---------"), *((row.pk, str(row)) for row in Province.objects.all())]


class AttributionField(forms.ChoiceField):
    def __init__(self):
        super().__init__(label=gettext_lazy("attribution"), choices=_places)


class AttributionForm(ReasonForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


class OtherAttributionForm(AttributionForm):
    """Offers all attributions except the order's present one."""

    def __init__(self, *args, order: Order, **kwargs):
        super().__init__(*args, order=order, **kwargs)
        if not self.is_bound:
            self.fields["letters"].choices = [row for row in _places() if row[0] != order.attribution_id]

    def said(self, name, value):
        return dict(_places()).get(value, value) if name == "letters" else super().said(name, value)


class ManyAttributionForm(BulkForm):
    letters = AttributionField()
    field_order = ["letters", "reason"]


def _judge_attribution(row: Order) -> Judged:
    if is_asked("attribute"):
        said = _("stay as they are: a second person must confirm each, on its own page")
        return Judged(row, said, row.get_state_display(), acts=False)
    if why := why_not_attribute(row):
        return Judged(row, _("stay as they are: not held for their attribution"), why.words(), acts=False)
    return Judged(row, _("get the attribution and go on"), _("gets the attribution and goes on"))


ATTRIBUTE = Action(
    key="attribute",
    label=gettext_lazy("Choose the attribution"),
    permission="orders.choose_attribution",
    four_eyes="attribute",
    done=gettext_lazy("The attribution is chosen; the order goes on."),
    form=AttributionForm,
    why_not=lambda facts: why_not_attribute(facts.order),
    follows=gettext_lazy("The order gets this attribution and goes on."),
    service=choose_attribution,
    bulk=Bulk(
        model=Order,
        form=ManyAttributionForm,
        judge=each(_judge_attribution),
        given=lambda row, run, owner: {"number": row.number, "letters": run.details["letters"]},
    ),
)
MOVE_ATTRIBUTION = Action(
    key="move_attribution",
    label=gettext_lazy("Correct the attribution"),
    permission="orders.choose_attribution",
    four_eyes="attribute",
    done=gettext_lazy("The attribution is corrected. BPM is not told: tell the people there."),
    form=OtherAttributionForm,
    why_not=lambda facts: why_not_move_attribution(facts.order, facts.now),
    preview_effects=action_previews.move_attribution,
    service=move_attribution,
)
PROCEED = Action(
    key="proceed",
    label=gettext_lazy("Let it go on"),
    permission="orders.proceed_order",
    four_eyes="proceed",
    done=gettext_lazy("The order goes on although its trial is closed."),
    why_not=lambda facts: why_not_proceed(facts.order),
    preview_effects=action_previews.proceed,
    service=proceed,
)


class DomainsForm(ReasonForm):
    domains = forms.CharField(
        label=gettext_lazy("domains"),
        help_text=gettext_lazy("One a line, as they shall be sent."),
        widget=forms.Textarea(attrs={"rows": 6, "data-draft": "", "class": "mono", "autofocus": True}),
    )
    field_order = ["domains", "reason"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["reason"].widget.attrs["autofocus"]

    def clean_domains(self) -> list[str]:
        names = [name for name in re.split(r"[\s,;，；、]+", self.cleaned_data["domains"]) if name]
        if not names:
            raise forms.ValidationError(self.fields["domains"].error_messages["required"])
        if len(names) > MAX_DOMAINS:
            raise forms.ValidationError(NotAllowedError("too_many_domains", most=MAX_DOMAINS).words())
        for name in names:
            if wrong := domain_fault(name):
                text = _("%(name)s can't be ordered: %(why)s")
                raise forms.ValidationError(text, params={"name": name, "why": say_why(wrong)})
        times = Counter(map(domain_key, names))
        if twice := next((name for name in names if times[domain_key(name)] > 1), ""):
            raise forms.ValidationError(_("%(name)s is there twice"), params={"name": twice.lower()})
        return names


NAME_DOMAINS = Action(
    key="name_domains",
    label=gettext_lazy("Name the domains"),
    permission="orders.name_domains",
    done=gettext_lazy("The domains are named; the order goes on."),
    form=DomainsForm,
    why_not=lambda facts: why_not_name_domains(facts.order),
    follows=gettext_lazy("The order gets these domains and goes on."),
    service=name_domains,
)
