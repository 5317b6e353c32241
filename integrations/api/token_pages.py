"""The administrators' pages of API tokens: the list, the form, the page that shows a new token once, and revocation."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from integrations.api.tokens import agree_to_token, last_day, make_token, revoke_token, why_not_agree, why_not_named
from integrations.models import ApiToken
from orders.history.actors import actor_of, staff_actor
from orders.lists.chips import personal_chip, toned_chip
from orders.lists.personal_data import may_open
from orders.lists.read_only import ReadOnlyAdmin
from orders.lists.reason import reason_field
from orders.lists.scope import UnlimitedOnly, is_unlimited
from orders.lists.time_cells import ago_field
from orders.office.exports.rights import JUDGE
from orders.rules.four_eyes_acts import EXPORT, is_asked
from orders.texts.errors import NotAllowedError

REVOKE = "integrations.revoke_apitoken"


class TokenForm(forms.ModelForm):
    class Meta:
        model = ApiToken
        fields = ["system", "limited", "attributions", "personal", "valid_until"]
        help_texts = {
            "system": gettext_lazy("which system calls with it, and for what"),
            "limited": gettext_lazy("reads only orders of the attributions below"),
            "personal": gettext_lazy("reads people's names, phones and mails unmasked"),
            "valid_until": gettext_lazy("the last day on which it works"),
        }
        widgets = {
            "attributions": forms.CheckboxSelectMultiple,
            "valid_until": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def clean_valid_until(self):
        day = self.cleaned_data["valid_until"]
        if day < timezone.localdate():
            raise forms.ValidationError(NotAllowedError("token_day_over").words())
        if day > last_day(timezone.localdate()):
            raise forms.ValidationError(NotAllowedError("token_too_long", days=settings.API_TOKEN_MAX_DAYS).words())
        return day

    def clean_system(self):
        system = self.cleaned_data["system"]
        if error := why_not_named(system, timezone.localdate()):
            raise forms.ValidationError(error.words())
        return system

    def clean(self):
        """If the limit is ticked, requires attributions. If the limit is not ticked, rejects attributions."""
        found = super().clean()
        if bool(found.get("attributions")) != found.get("limited"):
            self.add_error("limited", _("Tick the limit and choose attributions, or neither: then it reads all."))
        return found


class RevokeForm(forms.Form):
    reason = reason_field()


class ApiTokenAdmin(UnlimitedOnly, ReadOnlyAdmin):
    """Users who are limited to attributions can neither see nor create tokens, because a token might read more than its
    creator may read."""

    form = TokenForm
    change_form_template = "admin/integrations/apitoken/token.html"
    add_form_template = "admin/change_form.html"
    list_display = ["system", "state_chip", "letters", "people_chip", "valid_until", "used", "who"]
    fields = readonly_fields = [
        "system",
        "state_chip",
        "begins_with",
        "letters",
        "people_chip",
        "valid_until",
        "used",
        "who",
        "made_at",
        "who_agreed",
        "judged_at",
        "who_revoked",
        "revoked_at",
    ]

    def heading(self, obj):
        return obj.system

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attributions")

    @admin.display(description=gettext_lazy("state"))
    def state_chip(self, obj):
        if obj.revoked_at:
            tone, word = "grey", _("Revoked")
        elif obj.is_valid(timezone.localdate()) and obj.waits:
            tone, word = "amber", _("Waits for a second person")
        elif obj.is_valid(timezone.localdate()):
            tone, word = "green", _("In force")
        else:
            tone, word = "grey", _("Expired")
        return toned_chip(tone, word)

    @admin.display(description=gettext_lazy("begins with"))
    def begins_with(self, obj):
        return format_html('<span class="mono">{}…</span>', obj.begins)

    @admin.display(description=gettext_lazy("attributions"))
    def letters(self, obj):
        return _(", ").join(row.name for row in obj.attributions.all()) if obj.limited else _("all")

    @admin.display(description=gettext_lazy("personal data"))
    def people_chip(self, obj):
        return personal_chip(obj.personal)

    used = ago_field("used_at", gettext_lazy("last used"))

    @admin.display(description=gettext_lazy("issued by"))
    def who(self, obj):
        return actor_of(obj.made_by, obj.maker_id, obj.made_at)[0]

    @admin.display(description=gettext_lazy("second person"))
    def who_agreed(self, obj):
        return actor_of(obj.judged_by, obj.judge_id, obj.judged_at)[0] if obj.judged_by else "-"

    @admin.display(description=gettext_lazy("revoked by"))
    def who_revoked(self, obj):
        return actor_of(obj.revoked_by, at=obj.revoked_at)[0] or "-"

    # --- creating a token

    def has_add_permission(self, request):
        return request.user.has_perm("integrations.add_apitoken") and is_unlimited(request.user)

    def get_fields(self, request, obj=None):
        if obj is not None:
            return self.fields
        personal = may_open(request.user) or is_asked(EXPORT)  # otherwise the token would need nobody else's consent
        return [name for name in TokenForm.Meta.fields if name != "personal" or personal]

    def get_readonly_fields(self, request, obj=None):
        return self.readonly_fields if obj is not None else []

    def save_model(self, request, obj, form, change):
        """Creates the token. Sets the id of `obj`, and keeps the token's text for the next page."""
        chosen = form.cleaned_data
        made, obj.text = make_token(
            system=obj.system,
            personal=obj.personal,
            valid_until=obj.valid_until,
            by=staff_actor(request.user),
            letters=[row.pk for row in chosen["attributions"]] if obj.limited else None,
            now=timezone.now(),
        )
        obj.pk, obj.begins = made.pk, made.begins

    def response_add(self, request, obj, post_url_continue=None):
        """Shows the token's text. No later page can show it, because only its hash is stored."""
        address = request.build_absolute_uri(reverse("api-orders"))
        title = _("Token for %(system)s") % {"system": obj.system}
        return self._page(request, "made", {"title": title, "text": obj.text, "address": address, "waits": obj.waits})

    @method_decorator(never_cache)
    def add_view(self, request, form_url="", extra_context=None):
        """Prevents caching by browsers and proxies, since the response may contain the token's text."""
        try:
            return super().add_view(request, form_url, extra_context)
        except NotAllowedError as error:  # two submissions of the form at the same moment
            messages.error(request, error.words())
            return redirect("admin:integrations_apitoken_changelist")

    # --- a second person's consent, and revocation

    def get_urls(self):
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/agree/", wrap(require_POST(self.agree_view)), name="integrations_apitoken_agree"),
            path("<int:pk>/revoke/", wrap(self.revoke_view), name="integrations_apitoken_revoke"),
            *super().get_urls(),
        ]

    def may_judge(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(JUDGE)

    def agree_view(self, request, pk: int):
        if not self.may_judge(request):
            raise PermissionDenied
        token = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            agree_to_token(pk=pk, judge=request.user, now=timezone.now())
        except NotAllowedError as error:
            messages.error(request, error.words())
        else:
            self.log_change(request, token, _("Agreed that it reads people's data"))
        return redirect("admin:integrations_apitoken_change", pk)

    def may_revoke(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REVOKE) and is_unlimited(request.user)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        context["revocable"] = obj is not None and not obj.revoked_at and self.may_revoke(request)
        context["waits"] = obj is not None and obj.waits and obj.is_valid(timezone.localdate())
        may_judge = context["waits"] and self.may_judge(request)
        context["judges"] = may_judge and why_not_agree(obj, request.user, now=timezone.now()) is None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def revoke_view(self, request, pk: int):
        if not self.may_revoke(request):
            raise PermissionDenied
        token = get_object_or_404(self.get_queryset(request), pk=pk)
        form = RevokeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                revoke_token(pk=pk, by=staff_actor(request.user), now=timezone.now(), **form.cleaned_data)
            except NotAllowedError as error:
                messages.warning(request, error.words())
            else:
                self.log_change(request, token, _("Revoked: %(reason)s") % form.cleaned_data)
                messages.success(
                    request, _("The token of %(system)s does not work any more.") % {"system": token.system}
                )
            return redirect("admin:integrations_apitoken_change", pk)
        title = _("Revoke the token of %(system)s") % {"system": token.system}
        return self._page(request, "revoke", {"title": title, "form": form, "token": token})

    def _page(self, request: HttpRequest, name: str, context: dict) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/integrations/apitoken/{name}.html", context)
