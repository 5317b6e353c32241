"""The form field for the reason of an action."""

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from orders.texts.secrets_in_text import without_named_secrets

LONGEST_REASON = 500
REASON = gettext_lazy("Reason")


class WordsField(forms.CharField):
    """A text by staff that is stored in the audit log. Removes values labelled as a password, token or key."""

    def to_python(self, value):
        return without_named_secrets(super().to_python(value))


def reason_field(label: str | Promise = REASON, *, autofocus: bool = True, rows: int = 3, **more) -> WordsField:
    """Returns the field for a reason or a note. Browsers keep a draft for an hour (project/static/desk/session.js)."""
    focus = {"autofocus": True} if autofocus else {}
    widget = forms.Textarea(attrs={"rows": rows, **focus, "data-draft": ""})
    return WordsField(label=label, max_length=LONGEST_REASON, widget=widget, **more)
