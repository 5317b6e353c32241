"""Mail rules: the recipients of mails, overlaps between rules, and a test page that applies the rules to an order."""

from collections.abc import Iterable

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.contacts_and_recipients import MUST_REACH, fits, overlap
from notifications.models import MailRule
from orders.admin.journal_values import NotesValues
from orders.lists.cells import column
from orders.lists.model_admin import DeskAdmin
from orders.lists.personal_data import open_personal_data
from orders.lists.registration import Section, register_list
from orders.lists.scope import Scoped, is_unlimited, limit
from orders.mails.mail_reasons import EVENTS, choose_for, reasons_now, rule_words
from orders.models import Order, Province
from orders.order_page.tabs import shown_reasons

NOBODY = gettext_lazy("nobody: the mail is switched off")
SEES_ORDERS = "orders.view_order"


class MailRuleForm(forms.ModelForm):
    event = forms.ChoiceField(label=gettext_lazy("event"), required=False)
    order_kind = forms.ChoiceField(label=gettext_lazy("order kind"), required=False)
    off = forms.BooleanField(
        label=gettext_lazy("to nobody"),
        required=False,
        help_text=gettext_lazy("Switches these mails off. Each order's mails say so."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.is_empty:
            self.initial["off"] = True
        for name, choices in (("event", EVENTS.items()), ("order_kind", Order.Kind.choices)):
            if name in self.fields:  # users with only the view permission have no fields
                self.fields[name].choices = [("", _("all")), *choices]

    def clean(self):
        found = super().clean()
        named = any(found.get(name) for name in ("to_sa", "to_copies", "to_default", "role", "contact"))
        if found.get("event") in MUST_REACH and not named:
            raise forms.ValidationError(
                _("Somebody must hear of this event. Name a recipient, the default contact for instance.")
            )
        if named == bool(found.get("off")):
            raise forms.ValidationError(_("Say either who gets these mails, or that nobody does."))
        return found


@register_list(
    MailRule,
    menu=(Section.SETUP, 15),
    empty=gettext_lazy("No rule yet: every mail goes to the SA contacts and copies of its attribution."),
)
class MailRuleAdmin(NotesValues, Scoped, DeskAdmin):
    form = MailRuleForm
    attribution_path = "attribution"
    change_list_template = "admin/notifications/rule_list.html"
    list_display = ["mails", "recipients", "beside"]
    list_filter = ["attribution"]
    list_select_related = ["attribution", "role", "contact__attribution"]
    fields = [
        "attribution",
        "event",
        "order_kind",
        "to_sa",
        "to_copies",
        "to_default",
        "role",
        "contact",
        "off",
        "beside",
    ]
    readonly_fields = ["beside"]

    mails = column(gettext_lazy("mails"), rule_words)
    recipients = column(gettext_lazy("who gets them"), lambda rule: recipients_of(rule))

    @admin.display(description=gettext_lazy("rules that fit some of the same mails"))
    def beside(self, obj):
        lines = overlaps(obj, getattr(obj, "all_rules", None)) if obj.pk else []
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((line,) for line in lines))) or "-"

    def add_facts(self, rows):
        every = list(MailRule.objects.select_related("attribution"))
        for row in rows:
            row.all_rules = every

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, **kwargs)
        if "attribution" in form.base_fields:
            field = form.base_fields["attribution"]
            field.required = not is_unlimited(request.user)
            field.empty_label = None if field.required else _("all")
        return form

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "attribution":
            kwargs["queryset"] = limit(Province.objects.all(), request.user, "letters")
        elif db_field.name == "contact":
            rows = db_field.remote_field.model.objects.filter(active=True).select_related("attribution")
            kwargs["queryset"] = limit(rows, request.user, "attribution")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if obj.is_empty:
            messages.warning(request, _("These mails go to nobody from now on; each order's mails say so."))
        for line in overlaps(obj):
            messages.info(request, line)

    # --- the test page, which sends nothing

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [path("try/", wrap(self.try_view), name="notifications_mailrule_try"), *super().get_urls()]

    def try_view(self, request):
        if not (self.has_view_permission(request) and request.user.has_perm(SEES_ORDERS)):
            raise PermissionDenied
        number, event = request.GET.get("order", "").strip(), request.GET.get("event", "")
        order = None
        if number and "\0" not in number:
            order = limit(Order.objects.filter(number=number), request.user, "attribution").first()
        context = {
            "title": _("Try the mail rules"),
            "opts": self.opts,
            "events": EVENTS.items(),
            "number": number,
            "event": event,
            "order": order,
            "unknown": bool(number) and order is None,
        }
        if order is not None and event in EVENTS:
            context |= self._trial(request, order, event)
        return TemplateResponse(
            request, "admin/notifications/try_rules.html", {**self.admin_site.each_context(request), **context}
        )

    def _trial(self, request, order: Order, event: str) -> dict:
        personal = open_personal_data(request, order, "mail rules")
        choice = choose_for(order, event)
        rows = MailRule.objects.select_related("attribution").exclude(pk=choice.rule.pk if choice.rule else None)
        beaten = [rule for rule in rows if fits(rule, order.attribution_id or "", event, order.kind)]
        return {
            "personal": personal,
            "reasons": shown_reasons(reasons_now(choice), personal),
            "beaten": [_named(rule) for rule in beaten],
        }


def recipients_of(rule: MailRule) -> str:
    """Returns the recipients of a rule as text. A contact is shown by attribution and number."""
    parts = [
        _("SA contacts") if rule.to_sa else "",
        _("copies") if rule.to_copies else "",
        _("default contact") if rule.to_default else "",
        _("role %(role)s") % {"role": rule.role} if rule.role else "",
        str(rule.contact or ""),
    ]
    return _(", ").join(filter(None, parts)) or str(NOBODY)


def overlaps(rule: MailRule, every: Iterable[MailRule] | None = None) -> list[str]:
    """Returns a sentence for each other rule that matches some of the same mails. The sentence says which of the two
    rules applies to these mails."""
    every = MailRule.objects.select_related("attribution") if every is None else every
    decides = _("%(other)s fits some of these mails too; this rule decides there.")
    gives_way = _("%(other)s fits some of these mails too, and decides there.")
    return [
        (decides if rule.weight > other.weight else gives_way) % {"other": _named(other)}
        for other in every
        if other.pk != rule.pk and overlap(rule, other)
    ]


def _named(rule: MailRule) -> str:
    return _("rule %(number)s: %(scope)s") % {"number": rule.pk, "scope": rule_words(rule)}
