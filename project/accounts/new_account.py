"""The form of a new account: the person, their roles, and the orders they see."""

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.utils.translation import gettext_lazy as _

from orders.admin.names import NamesForm
from project.accounts.separation_of_duties import JUDGES, rights_of, why_not_to_hold

ALL, SOME = "all", "some"


class GivesRoles(NamesForm):
    """A form in which `giver` adds roles to an account or removes them."""

    def clean_groups(self):
        """Rejects new roles that may approve others' requests, unless the giver is a superuser."""
        chosen, held = set(self.cleaned_data["groups"]), set(self.initial.get("groups", ()))
        if self.giver.is_superuser or chosen == held:
            return self.cleaned_data["groups"]
        judging = sorted(role.name for role in chosen - held if rights_of([role])[0] & JUDGES)
        if judging:
            names = {"roles": _(", ").join(judging)}
            raise forms.ValidationError(_("Only a superuser or the company log-in gives this role: %(roles)s") % names)
        return self.cleaned_data["groups"]

    def refuse_rights_together(self, found):
        """Adds an error for a new role or permission that makes a forbidden combination. Existing combinations stay
        valid."""
        names = ("groups", "user_permissions")
        held = {name: getattr(self.instance, name).all() if self.instance.pk else () for name in names}
        added = [name for name, rows in held.items() if set(found.get(name, ())) - set(rows)]
        if added and (why := why_not_to_hold(*(found.get(name, rows) for name, rows in held.items()))):
            self.add_error(added[0], why)


class NewStaffForm(GivesRoles):
    """The form has no password field: the person sets the password through a link."""

    clean_username = UserCreationForm.clean_username
    sees = forms.ChoiceField(
        label=_("which orders"),
        choices=[(ALL, _("of all attributions")), (SOME, _("only of the attributions chosen below"))],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial.setdefault("is_staff", True)
        for name, label in (("username", _("log-in name")), ("groups", _("role"))):
            if name in self.fields:
                self.fields[name].label = label
        for name in ("groups", "attributions"):
            if name in self.fields:
                self.fields[name].help_text = ""

    def clean(self):
        """Rejects attributions that contradict the limit."""
        found = super().clean()
        self.refuse_rights_together(found)
        chosen = bool(found.get("attributions"))
        if found.get("sees") == SOME and not chosen:
            self.add_error("attributions", _("Choose the attributions whose orders the person sees."))
        if found.get("sees") == ALL and chosen:
            self.add_error("sees", _("Attributions are chosen: say that only their orders are seen, or choose none."))
        return found

    def save(self, commit=True):
        self.instance.limited = self.cleaned_data["sees"] == SOME
        self.instance.set_unusable_password()
        return super().save(commit)
