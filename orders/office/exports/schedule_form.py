"""The page that creates or changes a scheduled export of the user's own view, with a preview."""

import unicodedata

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.history.actors import name_of, staff_actor
from orders.limits.working_days import WEEKDAYS
from orders.lists.personal_data import may_open
from orders.lists.registration import title_of
from orders.lists.scope import attributions_of
from orders.lists.time_cells import short_moment
from orders.office.exports.export_jobs import kept_scope
from orders.office.exports.lists import ExportedList
from orders.office.exports.models import Export, ScheduledExport
from orders.office.exports.page import PersonalDataForm
from orders.office.exports.rights import lacking
from orders.office.exports.schedules import save_schedule
from orders.office.exports.weekly_slots import next_slot
from orders.office.saved_views.models import SavedView
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import OrderError
from orders.texts.name_rules import why_not_a_name

DAYS = {str(number): name for number, name in enumerate(WEEKDAYS, 1)}  # by ISO number
WORKDAYS = "12345"
NAMED_SLOTS = 3


class ScheduleForm(PersonalDataForm):
    """Form of a scheduled export. The form offers personal data if the owner may see them and no second person must
    approve them."""

    personal_help = gettext_lazy("Auditors see it. If the view has none of their columns, all are added.")
    name = forms.CharField(label=gettext_lazy("name"), max_length=40)
    view = forms.TypedChoiceField(
        label=gettext_lazy("Saved view"),
        help_text=gettext_lazy("Your own views. Its filter and columns count as they are when it runs."),
    )
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("Weekdays"), choices=list(DAYS.items()), widget=forms.CheckboxSelectMultiple
    )
    at = forms.TimeField(
        label=gettext_lazy("Time"),
        input_formats=["%H:%M"],
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy("Beijing time. The file follows within minutes."),
    )
    format = forms.ChoiceField(
        label=gettext_lazy("File format"), choices=Export.Format.choices, widget=forms.RadioSelect
    )
    recipients = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Recipients"),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("They get a mail with a link. The file opens for those whose own rights suffice."),
    )

    def __init__(self, *args, owner, **kwargs):
        super().__init__(*args, offered=may_open(owner) and not is_asked(EXPORT), **kwargs)
        self.owner, self.found = owner, None
        self.views = {str(row.pk): row for row in SavedView.objects.filter(owner=owner).order_by("list_name", "name")}
        self.fields["view"].choices = [(pk, f"{title_of(row.list_name)} · {row}") for pk, row in self.views.items()]
        self.fields["view"].coerce, self.fields["recipients"].choices = self.views.get, _colleagues()

    def clean_name(self):
        name = self.cleaned_data["name"]
        if not any(unicodedata.category(letter)[0] in "LNPS" for letter in name):
            raise forms.ValidationError(_("Give it a name that can be read."))
        if error := why_not_a_name(name):
            raise forms.ValidationError(error.words())
        return name

    def clean_weekdays(self):
        return "".join(sorted(set(self.cleaned_data["weekdays"])))

    def clean(self):
        given = super().clean()
        personal = bool(given.get("personal"))
        if view := given.get("view"):
            try:
                self.found = ExportedList(view.list_name, view.query, self.owner)
                self.found.check(self.found.chosen_columns(view.columns, personal=personal), personal=personal)
            except OrderError as error:
                self.add_error("view", error.words())
        return given

    def preview(self) -> dict:
        """Returns a preview: the next slots, the current number of rows, and the recipients who would get nothing."""
        given, moment, slots = self.cleaned_data, timezone.now(), []
        for _number in range(NAMED_SLOTS):
            moment = next_slot(given["weekdays"], given["at"], after=moment)
            slots.append(short_moment(moment))
        people = get_user_model().objects.filter(pk__in=given["recipients"]).order_by("pk")
        missing = who_gets_nothing(people, given["view"], self.owner, personal=given.get("personal", False))
        return {"slots": slots, "rows": self.found.changelist.result_count, **missing}


def who_gets_nothing(people: QuerySet, view: SavedView | None, owner, *, personal: bool) -> dict[str, list[str]]:
    """Returns the names of accounts that may not open the file (`lacking`), and of accounts that have no mail address
    (`unreachable`)."""
    file = view and Export(list_name=view.list_name, personal=personal, scope=kept_scope(attributions_of(owner)))
    return {
        "lacking": [name_of(person.username) for person in lacking(people, file)] if file else [],
        "unreachable": [name_of(person.username) for person in people if not person.email],
    }


def answer_schedule_form(request: HttpRequest, site, row: ScheduledExport | None) -> HttpResponseBase:
    """GET: the form. POST with `preview`: the form with a preview. POST: saves, and redirects to the schedule's
    page."""
    form = ScheduleForm(
        request.POST if request.method == "POST" else None, owner=request.user, initial=_initial(request, row)
    )
    preview = None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            preview = form.preview()
        elif saved := _save(request, form, row):
            return redirect("admin:orders_scheduledexport_change", saved.pk)
    title = _("Change the scheduled export") if row else _("New scheduled export")
    context = {
        **site.each_context(request),
        "opts": ScheduledExport._meta,
        "title": title,
        "form": form,
        "preview": preview,
        "row": row,
        "refused": is_asked(EXPORT) and may_open(request.user),
    }
    return TemplateResponse(request, "exports/schedule_form.html", context)


def _save(request: HttpRequest, form: ScheduleForm, row: ScheduledExport | None) -> ScheduledExport | None:
    """Saves a valid form. Returns None if the service refused the schedule. In this case the form has the error."""
    try:
        about = {"pk": row.pk if row else None, "by": staff_actor(request.user), "now": timezone.now()}
        saved = save_schedule(owner=request.user, **form.cleaned_data, **about)
    except OrderError as error:
        form.add_error("name" if error.code == "schedule_name_taken" else None, error.words())
        return None
    messages.success(request, _("The scheduled export is saved."))
    return saved


def _initial(request: HttpRequest, row: ScheduledExport | None) -> dict:
    if row is None:
        return {
            "view": request.GET.get("view", ""),
            "weekdays": list(WORKDAYS),
            "at": "08:00",
            "format": Export.Format.XLSX,
            "recipients": [str(request.user.pk)],
        }
    return {
        "name": row.name,
        "view": str(row.view_id or ""),
        "weekdays": list(row.weekdays),
        "at": row.at,
        "format": row.format,
        "recipients": [str(pk) for pk in row.recipients.values_list("pk", flat=True)],
        "personal": row.personal,
        "reason": row.reason,
    }


def _colleagues() -> list[tuple[str, str]]:
    """Returns the possible recipients as choices: active staff. People without a mail address are marked."""
    rows = get_user_model().objects.filter(is_active=True, is_staff=True).order_by("display_name", "username")
    return [
        (str(pk), name_of(account) if mail else _("%(name)s (no mail address)") % {"name": name_of(account)})
        for pk, account, mail in rows.values_list("pk", "username", "email")
    ]
