"""Staff accounts. Whoever manages them can't become or change a superuser in this way, get around a limit, or give a
role whose rights they lack."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    ReadOnlyPasswordHashField,
    ReadOnlyPasswordHashWidget,
    SetUnusablePasswordMixin,
    UserChangeForm,
)
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifications.masks import mask_mail, mask_phone
from orders.admin.journal_values import NotesValues
from orders.admin.names import NamesForm
from orders.lists.cells import column
from orders.lists.registration import AUDITORS, Section, register_list
from orders.lists.scope import UnlimitedWrites
from orders.people import name_of
from project.accounts.company.joining import join_account, joined_words, why_not_to_be_joined
from project.accounts.permission_words import permission_words
from project.models import User

GIVES_ALL = ["is_superuser", "user_permissions"]
CHECK_BOXES = {"groups", "attributions"}
MASKED = {"phone": "phone_masked", "email": "mail_masked"}
FIXED = ["username", "last_login", "date_joined"]  # rows are told apart by these
COMPANY = {"company_subject", "company_mail"}
GIVEN = {"email", "display_name", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"}
"""What makes the giver no second person to the account for a while; a password does too, on a page of its own."""
WITHOUT = _("Without a password, the user's present one is gone.")
JOINED = _(
    "The company log-in gives this account its roles and its limit at each log-in; what was given by hand is gone "
    "then. Whoever is disabled there keeps a running session until it ends; disable the account here to end it at once."
)
AWAY = _("For colleagues to read. The desk hands nothing over by itself.")


class PermissionWords(NotesValues):
    """Shows permissions in words, also in the journal, and the few roles and attributions as check boxes."""

    @staticmethod
    def value_words(row) -> str:
        return permission_words(row) if isinstance(row, Permission) else str(row)

    def formfield_for_manytomany(self, db_field, request=None, **kwargs):
        if db_field.name in CHECK_BOXES:
            kwargs["widget"] = forms.CheckboxSelectMultiple
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field and db_field.related_model is Permission:
            field.label_from_instance = permission_words
        return field


def account_words(user: User) -> str:
    """What an account is called where one is chosen: colleagues of the same name are told apart."""
    return name_of(user.get_username())


class SetPassword(ReadOnlyPasswordHashWidget):
    """Says that there is a password, and leads to setting one. How it is kept is for engineers."""

    def get_context(self, name, value, attrs):
        found = super().get_context(name, value, attrs)
        return found | {
            "summary": [{"label": _("A password is set.")}] if is_password_usable(value) else found["summary"]
        }


class PasswordForm(AdminPasswordChangeForm):
    """Django leaves this warning in English."""

    usable_password_help_text = format_lazy(
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        SetUnusablePasswordMixin.usable_password_help_text,
        WITHOUT,
    )


class StaffForm(NamesForm, UserChangeForm):
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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not settings.OIDC_ISSUER:
            del self.fields["company_subject"], self.fields["company_mail"]
            return
        joined = getattr(self.instance, "company", None)
        self.initial["company_subject"] = joined.subject if joined else ""
        self.initial["company_mail"] = bool(joined and not joined.subject)

    def clean(self):
        """Refuses attributions without the limit: the user would see all orders, which nobody meant."""
        found = super().clean()
        if found.get("attributions") and not found.get("limited"):
            self.add_error("limited", _("Attributions are chosen: tick the limit as well, or choose none."))
        if COMPANY & set(self.changed_data):
            subject, by_mail = found.get("company_subject", ""), found.get("company_mail", False)
            mail = found.get("email", "") if by_mail else ""
            if error := why_not_to_be_joined(self.instance, subject=subject, mail=mail, by_mail=by_mail):
                self.add_error("company_mail" if by_mail else "company_subject", error)
        return found

    def clean_groups(self):
        """Refuses roles whose rights the giver lacks, and any role for the giver's own account."""
        chosen = self.cleaned_data["groups"]
        held = set(self.instance.groups.values_list("pk", flat=True)) if self.instance.pk else set()
        new = [role for role in chosen if role.pk not in held]
        if self.giver.is_superuser or not new:
            return chosen
        if self.giver.pk == self.instance.pk:
            raise forms.ValidationError(_("Nobody gives a role to their own account: somebody else must."))
        lacked = [role.name for role in new if not self.giver.has_perms(_rights_of(role))]
        if lacked:
            names = {"roles": ", ".join(lacked)}
            raise forms.ValidationError(_("Only who has all rights of a role gives it: %(roles)s") % names)
        return chosen


class NewStaffForm(NamesForm, UserAdmin.add_form):
    pass


def _rights_of(role: Group) -> list[str]:
    return [
        f"{app}.{codename}" for app, codename in role.permissions.values_list("content_type__app_label", "codename")
    ]


class DeskUserAdmin(PermissionWords, UnlimitedWrites, UserAdmin):
    """Users who are not superusers can assign roles (groups) but can't change superusers.

    Users limited to attributions can't manage accounts. They could make an account without a limit, or log in as
    somebody else.
    """

    form, add_form = StaffForm, NewStaffForm
    change_password_form = PasswordForm
    choice_words = staticmethod(account_words)
    list_display = [
        "username",
        "display_name",
        "phone_masked",
        "letters",
        "roles",
        "is_staff",
        "is_active",
        "is_superuser",
        "last_login",
    ]
    list_filter = ["is_staff", "is_active", "limited", "groups"]
    search_fields = ["username", "display_name", "email"]
    filter_horizontal = ["user_permissions"]
    autocomplete_fields = ["deputy"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["display_name", "phone", "email"]}),
        (_("Which orders"), {"fields": ["limited", "attributions"]}),
        (_("Away"), {"fields": ["away_until", "deputy"], "description": AWAY}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "display_name", "usable_password", "password1", "password2"]})]
    search_help_text = _("user name, name or mail address: any part")

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attributions", "groups")

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
        return ", ".join(role.name for role in user.groups.all()) or None

    phone_masked = column(_("phone"), lambda user: mask_phone(user.phone))
    company_state = column(_("company log-in"), joined_words)
    mail_masked = column(_("mail"), lambda user: mask_mail(user.email))

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request, obj=None):
        """Accounts are disabled instead: rows name them."""
        return False

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.giver = request.user
        return form

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if COMPANY & set(form.changed_data):
            chosen, mail = form.cleaned_data, obj.email if form.cleaned_data["company_mail"] else ""
            try:
                join_account(obj, subject=chosen["company_subject"], mail=mail, by=request.user, now=timezone.now())
            except IntegrityError:  # the person logged in for the first time, or a colleague was faster
                messages.error(
                    request, _("The company log-in was left as it was: the person has got an account just now.")
                )
        if not change or (GIVEN | COMPANY) & set(form.changed_data):
            obj.note_given(request.user, now=timezone.now())

    def user_change_password(self, request, id, form_url=""):
        with transaction.atomic():
            before = self.get_object(request, unquote(id))
            answer = super().user_change_password(request, id, form_url)
            if before and User.objects.get(pk=before.pk).password != before.password:
                before.note_given(request.user, now=timezone.now())
        return answer

    def get_fieldsets(self, request, obj=None):
        """Hides the password from users who may only look, and masks phone and mail address."""
        parts = [*super().get_fieldsets(request, obj)]
        if obj and settings.OIDC_ISSUER:
            may = self.has_change_permission(request, obj)
            names = ["company_state", *(["company_subject", "company_mail"] if may else [])]
            parts = [*parts[:2], (_("Company log-in"), {"fields": names, "description": JOINED}), *parts[2:]]
        if obj is None or self.has_change_permission(request, obj):
            return parts
        return [
            (title, more | {"fields": [MASKED.get(name, name) for name in more["fields"] if name != "password"]})
            for title, more in parts
        ]

    def get_readonly_fields(self, request, obj=None):
        fixed = [*super().get_readonly_fields(request, obj), *MASKED.values(), "company_state", *(FIXED if obj else ())]
        return fixed if request.user.is_superuser else [*fixed, *GIVES_ALL]


class DeskGroupAdmin(PermissionWords, GroupAdmin):
    """Only superusers decide what a role may do."""

    form = NamesForm
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
register_list(User, menu=(Section.SETUP, 40), readers=AUDITORS, same_for_all=True)(DeskUserAdmin)
register_list(Group, menu=(Section.SETUP, 50), readers=AUDITORS, same_for_all=True)(DeskGroupAdmin)
