"""Validates names that staff enter, such as those of accounts and contacts."""

from django import forms

from orders.texts.name_rules import why_not_a_name


class NamesForm(forms.ModelForm):
    names = ("name", "display_name")

    def clean(self):
        found = super().clean()
        for field in self.names:
            if error := why_not_a_name(self.cleaned_data.get(field) or ""):
                self.add_error(field, error.words())
        return found
