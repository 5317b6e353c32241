"""Forms for entering codes, and for setting up an app."""

import segno
from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.accounts.second_factor.codes import (
    APP_CODE,
    app_address,
    key_words,
    normalized_code,
    seconds_to_wait,
    step_of,
)
from project.models import AuthenticatorApp, User

LONGEST = 40
CODE_ATTRIBUTES = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class AppForm(forms.Form):
    """Form for a code that proves that an app has this secret. `step` is the time step of a valid code."""

    new_code = forms.CharField(
        label=gettext_lazy("six digits that the app shows"),
        max_length=LONGEST,
        widget=forms.TextInput(attrs=CODE_ATTRIBUTES | {"inputmode": "numeric"}),
    )

    def __init__(self, *args, secret: str, **kwargs):
        super().__init__(*args, **kwargs)
        self.secret = secret

    def clean_new_code(self):
        self.step = step_of(self.secret, normalized_code(self.cleaned_data["new_code"]), now=timezone.now())
        if self.step is None:
            raise ValidationError(
                _("These are not the app's digits of now. Scan the picture again; check the phone's clock.")
            )


class CodeForm(forms.Form):
    """Form for a code of the account's app or a recovery code. Wrong codes count like wrong passwords."""

    code = forms.CharField(
        label=gettext_lazy("verification code"),
        max_length=LONGEST,
        help_text=gettext_lazy("six digits of the app, or a recovery code"),
        widget=forms.TextInput(attrs=CODE_ATTRIBUTES | {"autofocus": True}),
    )

    def __init__(self, *args, request: HttpRequest, app: AuthenticatorApp, **kwargs):
        super().__init__(*args, **kwargs)
        self.request, self.app = request, app

    def clean_code(self):
        if self.errors:  # an invalid form must not use up a single-use code
            return
        if wait := seconds_to_wait(self.app, now=timezone.now()):
            words = _("After wrong codes the next one counts only later. Try again in %(seconds)s seconds.")
            raise ValidationError(words % {"seconds": wait})
        code = self.cleaned_data["code"]
        if authenticate(self.request, username=self.app.user.get_username(), token=code) is None:
            raise ValidationError(_("The code is wrong, too old, or was used already."))

    @property
    def was_recovery_code(self) -> bool:
        return not APP_CODE.fullmatch(normalized_code(self.data["code"]))


class NewAppForm(AppForm, CodeForm):
    """Form for two codes: a code of the new app, and a code of the existing app or a recovery code."""

    field_order = ["new_code", "code"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["new_code"].label = _("six digits that the new app shows")
        self.fields["code"].label = _("code of before")
        self.fields["code"].help_text = _("six digits of the app until now, or a recovery code")
        del self.fields["code"].widget.attrs["autofocus"]


def app_context(request: HttpRequest, secret: str, user: User) -> dict:
    """Returns the template context: the QR code as a data URL (`picture`), and the `key` for manual entry."""
    picture = segno.make(app_address(secret, user, request.get_host()), error="m")
    return {"picture": picture.svg_data_uri(scale=4, border=4, light="#fff"), "key": key_words(secret)}
