"""Admin pages of staff accounts and roles.

On these pages account managers can't become a superuser, change a superuser, or escape a limit to attributions. They
can't change their own roles. They can't create a second account for a person, or give one person rights that must be
separate.
"""

from functools import partial

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import ReadOnlyPasswordHashField, ReadOnlyPasswordHashWidget, UserChangeForm
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifications.masks import mask_mail, mask_phone
from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.db.unstorable_values import is_id
from orders.history.actors import ACTORS, name_of, person_words, staff_actor
from orders.lists.cells import column
from orders.lists.chips import toned_chip
from orders.lists.model_admin import DeskAdmin
from orders.lists.registration import AUDITORS, Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.people.second_person import second_person_words
from project.accounts.company.account_linking import link_account, link_words, why_link_refused
from project.accounts.company.account_provisioning import COMPANY
from project.accounts.emergency_accounts import is_emergency_only, is_last_login, unmark_emergency_account
from project.accounts.enable_account import enabling_page, log_in_chip, may_act_on, with_lock
from project.accounts.last_administrator import RIGHTS_FIELDS, why_last_administrator
from project.accounts.leave_page import leave_page
from project.accounts.login_throttle import address_of
from project.accounts.new_account import GivesRoles, NewStaffForm
from project.accounts.passwords.links import invite, why_no_password
from project.accounts.permission_words import permission_words
from project.accounts.second_factor.mfa_required import needs_factor, with_managers
from project.accounts.second_factor.reset_page import reset_page
from project.accounts.separation_of_duties import why_not_to_hold
from project.accounts.sessions_page import sessions_page
from project.models import User

SUPERUSER_FIELDS = ["is_superuser", "user_permissions"]
CHECK_BOXES = {"groups", "attributions"}
MASKED = {"phone": "phone_masked", "email": "mail_masked"}
HIDDEN = {"password", "sessions"}  # fields hidden from users who may only view
FIXED = ["username", "last_login", "date_joined"]  # fields that identify the account
COMPANY_FIELDS = {"company_subject", "company_mail"}
GIVING_FIELDS = {"email", "display_name", *RIGHTS_FIELDS}
"""A user who changes one of these fields becomes a giver of the account (contract 3.11). So do some other pages."""
COMPANY_HELP = _("The company log-in gives roles and limit at each log-in; what was given by hand is gone then.")
LOGIN_LIMIT_HELP = _(
    "Whoever is disabled there is out of here %(hours)s hours after the last log-in at the latest; disable the account "
    "here to end all its sessions at once."
)
NO_LIMIT_HELP = _(
    "The session of whoever is disabled there has no end by time: disable the account here to end all its sessions."
)


class RowsField(forms.ModelMultipleChoiceField):
    """Rejects numbers that can't be a primary key, because SQLite raises an error for integers over 64 bits."""

    def clean(self, value):
        for one in value or ():
            if str(one).isdigit() and not is_id(str(one)):
                raise forms.ValidationError(
                    self.error_messages["invalid_pk_value"], code="invalid_pk_value", params={"pk": one}
                )
        return super().clean(value)


class PermissionWords(NotesValues):
    """Shows translated names of permissions, in the admin log too. Shows roles and attributions as check boxes."""

    @staticmethod
    def value_words(row) -> str:
        return permission_words(row) if isinstance(row, Permission) else str(row)

    def formfield_for_manytomany(self, db_field, request=None, **kwargs):
        if db_field.name in CHECK_BOXES:
            kwargs["widget"] = forms.CheckboxSelectMultiple
        field = super().formfield_for_manytomany(db_field, request, form_class=RowsField, **kwargs)
        if field and db_field.related_model is Permission:
            field.label_from_instance = permission_words
        return field


def _company_help() -> str:
    """Returns the help text about the company log-in. It explains the effect on an account, and how soon a person who
    is disabled there is logged out here."""
    hours = settings.SESSION_MAX_HOURS
    return format_html("{} {}", COMPANY_HELP, LOGIN_LIMIT_HELP % {"hours": hours} if hours else NO_LIMIT_HELP)


def account_words(user: User) -> str:
    """Returns the label of an account in a choice field. The label distinguishes colleagues of the same name."""
    return name_of(user.get_username())


class SetPassword(ReadOnlyPasswordHashWidget):
    """Shows whether a password is set, with a button that sends an invitation. Never shows the hash."""

    def get_context(self, name, value, attrs):
        there = is_password_usable(value)
        words = _("A password is set.") if there else _("No password is set yet.")
        return super().get_context(name, value, attrs) | {
            "summary": [{"label": words}],
            "button_label": _("Have it set anew") if there else _("Send an invitation"),
        }


class StaffForm(GivesRoles, UserChangeForm):
    password = ReadOnlyPasswordHashField(label=_("Password"), widget=SetPassword)
    company_subject = forms.CharField(
        label=_("person"),
        max_length=255,
        required=False,
        strip=True,
        help_text=_("the person's number there; empty: nobody"),
    )
    company_mail = forms.BooleanField(
        label=_("by mail"),
        required=False,
        help_text=_(
            "within 7 days whoever logs in there with this account's mail, which the company log-in has verified"
        ),
    )

    for_emergency = forms.BooleanField(
        label=_("for an emergency"),
        required=False,
        initial=True,
        help_text=_("untick to take this away; only an engineer's command gives it"),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.fields["password"].help_text = ""  # Django's help text says that the password can be set here
        if not hasattr(self.instance, "emergency"):
            del self.fields["for_emergency"]
        if not settings.OIDC_ISSUER:
            del self.fields["company_subject"], self.fields["company_mail"]
            return
        joined = getattr(self.instance, "company", None)
        self.initial["company_subject"] = joined.subject if joined else ""
        self.initial["company_mail"] = bool(joined and not joined.subject)

    def clean(self):
        """Rejects invalid combinations.

        These are attributions without the limit (the user would see all orders), forbidden combinations of rights, and
        an invalid link to the company log-in. Also rejects a change that leaves no emergency account or no
        administrator.
        """
        found = super().clean()
        self.refuse_rights_together(found)
        if found.get("attributions") and not found.get("limited"):
            self.add_error("limited", _("Attributions are chosen: tick the limit as well, or choose none."))
        if COMPANY_FIELDS & set(self.changed_data):
            subject, by_mail = found.get("company_subject", ""), found.get("company_mail", False)
            mail = found.get("email", "") if by_mail else ""
            if error := why_link_refused(self.instance, subject=subject, mail=mail, by_mail=by_mail):
                self.add_error("company_mail" if by_mail else "company_subject", error)
        lost = [name for name in ("for_emergency", "is_active", "is_staff") if not found.get(name, True)]
        if lost and "for_emergency" in self.fields and is_last_login(self.instance, now=timezone.now()):
            self.add_error(lost[0], _("This is the last account for an emergency that can log in: mark another first."))
        if RIGHTS_FIELDS & set(self.changed_data) and (why := why_last_administrator(self.instance)):
            self.add_error(None, why)
        return found


def _creators(users: list[int]) -> dict[int, str]:
    """Returns {account id: user name of its creator} for accounts that were created on the admin page.

    If the company log-in created an account, `given_by` records that.
    """
    kind = ContentType.objects.get_for_model(User)
    made = LogEntry.objects.filter(content_type=kind, action_flag=ADDITION, object_id__in=map(str, users))
    return {int(pk): name for pk, name in made.values_list("object_id", "user__username")}


class RoleForm(NamesForm):
    def clean_permissions(self):
        """Rejects a new permission that would give the role a forbidden combination."""
        chosen = self.cleaned_data["permissions"]
        if set(chosen) - set(self.initial.get("permissions", ())) and (why := why_not_to_hold([], chosen)):
            raise forms.ValidationError(why)
        return chosen


class DeskUserAdmin(PermissionWords, UnlimitedWrites, DeskAdmin, UserAdmin):
    """The pages of staff accounts. Users who are not superusers can assign roles (groups) to colleagues, and can't
    change superusers.

    Users who are limited to attributions can't manage accounts, because they could create an unlimited account or log
    in as somebody else.
    """

    form, add_form, add_form_template = StaffForm, NewStaffForm, "admin/project/user/add_form.html"
    choice_words = staticmethod(account_words)
    list_display = [
        "username",
        "display_name",
        "roles",
        "letters",
        "standing",
        "last_login",
        "phone_masked",
        "factor",
        "way",
        "maker",
    ]
    list_filter = ["is_staff", "is_active", "limited", "groups"]
    search_fields = ["username", "display_name", "email"]
    filter_horizontal = ["user_permissions"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["display_name", "phone", "email"]}),
        (_("Which orders"), {"fields": ["limited", "attributions"]}),
        (_("Away"), {"fields": ["leave"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Log-in"), {"fields": ["last_login", "way", "factor", "sessions", "date_joined", "maker", "second_person"]}),
    ]
    add_fieldsets = [
        (_("Person"), {"fields": ["display_name", "username", "email", "phone"]}),
        (_("Rights"), {"fields": ["groups", "sees", "attributions", "is_staff"]}),
    ]
    search_help_text = _("user name, name or mail address: any part")

    def get_queryset(self, request):
        users = super().get_queryset(request).select_related("authenticator", "company", "emergency")
        return with_lock(with_managers(users), now=timezone.now()).prefetch_related("attributions", "groups")

    def get_changelist_instance(self, request):
        found = super().get_changelist_instance(request)
        makers = _creators([user.pk for user in found.result_list])
        for user in found.result_list:
            user.made_by = makers.get(user.pk)
        return found

    def get_urls(self):
        pages = [
            ("<path:pk>/second-factor/", partial(reset_page, model_admin=self), "second_factor"),
            ("<path:pk>/standing/", partial(enabling_page, model_admin=self), "standing"),
            ("<id>/leave/", partial(self._colleague_page, leave_page), "leave"),
            ("<id>/sessions/", partial(self._colleague_page, sessions_page), "sessions"),
        ]
        own = [path(at, self.admin_site.admin_view(page), name=f"project_user_{name}") for at, page, name in pages]
        return [*own, *super().get_urls()]

    def _colleague_page(self, page, request, id):
        """Returns `page` for a colleague's account. Raises the errors of `_get_changeable`.

        Other URLs show the same page for the user's own account.
        """
        return page(request, self.admin_site, self._get_changeable(request, id))

    def _get_changeable(self, request, id):
        """Returns the account if the user may change it. Otherwise raises PermissionDenied. If it does not exist,
        raises Http404."""
        user = self.get_object(request, id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if user is None:
            raise Http404
        return user

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["disables"] = may_act_on(request, obj, self)
        context["resets"] = context["disables"] and hasattr(obj, "authenticator")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field and db_field.related_model is User:
            field.label_from_instance = account_words
        return field

    def get_search_fields(self, request):
        return [name for name in self.search_fields if name not in MASKED or self.has_change_permission(request)]

    @admin.display(description=_("attributions"))
    def letters(self, user):
        if not user.limited:
            return _("all")
        return ", ".join(str(row) for row in user.attributions.all()) or _("none: sees nothing")

    @admin.display(description=_("role"), empty_value="-")
    def roles(self, user):
        if user.is_superuser:
            return _("superuser")
        return ", ".join(role.name for role in user.groups.all()) or None

    @admin.display(description=_("second factor"))
    def factor(self, user):
        if hasattr(user, "authenticator"):
            return _("set since %(day)s") % {"day": f"{timezone.localtime(user.authenticator.created_at):%Y-%m-%d}"}
        return toned_chip("amber", _("not set yet")) if needs_factor(user) else _("not needed")

    @admin.display(description=_("way of log-in"))
    def way(self, user):
        if hasattr(user, "emergency"):
            return _("password, for an emergency")
        if hasattr(user, "company") and user.company.subject:
            return ACTORS[COMPANY]
        return _("by password") if user.has_usable_password() and not is_emergency_only() else "-"

    @admin.display(description=pgettext_lazy("account", "made by"))
    def maker(self, user):
        if COMPANY in (user.given_by or {}):
            return ACTORS[COMPANY]
        name = user.made_by if hasattr(user, "made_by") else _creators([user.pk]).get(user.pk)
        return name_of(name) if name else "-"

    @admin.display(description=_("as a second person"))
    def second_person(self, user):
        return second_person_words(user, now=timezone.now()) or _("counts with everybody")

    @admin.display(description=_("leave"))
    def leave(self, user):
        url = reverse("admin:project_user_leave", args=[user.pk])
        words = person_words(user.pk, timezone.localdate()) if user.away_until else _("Enter or hand over")
        return format_html('<a href="{}">{}</a>', url, words)

    @admin.display(description=_("sessions"))
    def sessions(self, user):
        url = reverse("admin:project_user_sessions", args=[user.pk])
        return format_html('<a href="{}">{}</a>', url, _("Look at them and end them"))

    standing = column(_("log-in"), log_in_chip)
    phone_masked = column(_("phone"), lambda user: mask_phone(user.phone))
    company_state = column(_("company log-in"), link_words)
    mail_masked = column(_("mail"), lambda user: mask_mail(user.email))

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request, obj=None):
        """Returns False: accounts are disabled instead, because other rows refer to them."""
        return False

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.giver = request.user
        return form

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if COMPANY_FIELDS & set(form.changed_data):
            chosen, mail = form.cleaned_data, obj.email if form.cleaned_data["company_mail"] else ""
            try:
                link_account(obj, subject=chosen["company_subject"], mail=mail, by=request.user, now=timezone.now())
            except IntegrityError:  # the person's first log-in or a colleague was faster
                messages.error(
                    request, _("The company log-in was left as it was: the person has got an account just now.")
                )
        if not form.cleaned_data.get("for_emergency", True):
            unmark_emergency_account(obj, by=staff_actor(request.user), now=timezone.now())
        if not change or (GIVING_FIELDS | COMPANY_FIELDS) & set(form.changed_data):
            obj.note_given(request.user, now=timezone.now())

    def response_add(self, request, obj, post_url_continue=None):
        """Redirects to the list. Django would open the account's page, which is not needed: the form already has every
        field."""
        return self._send_invite(request, obj) or super(UserAdmin, self).response_add(request, obj, post_url_continue)

    def user_change_password(self, request, id, form_url=""):
        """Sends a link. If a password were set here, two people would know it. Shows a confirmation page first."""
        user = self._get_changeable(request, id)
        if user.pk == request.user.pk:
            return redirect("admin:password_change")
        if request.method == "POST" and not why_no_password(user):
            return self._send_invite(request, user) or redirect("admin:project_user_change", user.pk)
        return self._invitation_page(request, user)

    def _send_invite(self, request, user):
        """Sends an invitation if the account may have a password.

        If the account has no mail address, returns the page with the link. Otherwise returns None.
        """
        if why_no_password(user):
            return None
        link = invite(user, by=request.user, now=timezone.now(), address=address_of(request) or "")
        if link:
            return self._invitation_page(request, user, link=link)
        messages.success(request, _("A link to set the password is on its way by mail. It is valid for 3 days."))
        return None

    def _invitation_page(self, request, user, **more):
        """Shows the link in this response only. The link is not stored, so reloading the page creates another link."""
        context = self.admin_site.each_context(request) | {"opts": self.opts, "account": user, **more}
        title = _("Password of %(name)s") % {"name": account_words(user)}
        context |= {"title": title, "why_not": why_no_password(user), "mail": mask_mail(user.email)}
        return render(request, "admin/invitation.html", context)

    def get_fieldsets(self, request, obj=None):
        """Hides the password from users who may only view, and masks phone and mail address."""
        parts = [*super().get_fieldsets(request, obj)]
        if obj and settings.OIDC_ISSUER:
            may = self.has_change_permission(request, obj)
            names = ["company_state", *(["company_subject", "company_mail"] if may else [])]
            parts = [*parts[:2], (_("Company log-in"), {"fields": names, "description": _company_help()}), *parts[2:]]
        if obj is None or self.has_change_permission(request, obj):
            if obj and hasattr(obj, "emergency"):
                parts.insert(2, (_("Emergency"), {"fields": ["for_emergency"]}))
            return parts
        return [
            (title, more | {"fields": [MASKED.get(name, name) for name in more["fields"] if name not in HIDDEN]})
            for title, more in parts
        ]

    def get_readonly_fields(self, request, obj=None):
        shown = [*MASKED.values(), "company_state", "way", "factor", "sessions", "maker", "leave", "second_person"]
        fixed = [*super().get_readonly_fields(request, obj), *shown, *(FIXED if obj else ())]
        if obj and obj.pk == request.user.pk:
            return [*fixed, *RIGHTS_FIELDS]
        return fixed if request.user.is_superuser else [*fixed, *SUPERUSER_FIELDS]


class DeskGroupAdmin(PermissionWords, DeskAdmin, GroupAdmin):
    """Only superusers can add, change or delete a role. Other users see the role's permissions as a list."""

    form = RoleForm
    search_help_text = _("name: any part")

    def get_fields(self, request, obj=None):
        return ["name", "permissions"] if request.user.is_superuser else ["name", "may"]

    def get_readonly_fields(self, request, obj=None):
        return [] if request.user.is_superuser else ["may"]

    @admin.display(description=_("permissions"))
    def may(self, group):
        rows = group.permissions.select_related("content_type")
        return format_html_join("", "<div>{}</div>", ((permission_words(row),) for row in rows))

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


admin.site.unregister(Group)
register_list(User, menu=(Section.SETUP, 2), readers=AUDITORS, same_for_all=True)(DeskUserAdmin)
register_list(Group, menu=(Section.SETUP, 4), readers=AUDITORS, same_for_all=True)(DeskGroupAdmin)
