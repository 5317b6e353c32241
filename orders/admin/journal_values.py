"""Old and new values in the admin's log entries, for accounts, roles, attributions, service types and contacts.

Django stores only the names of the changed fields, in English. Here each `changed` part also has `values`: the field's
name with the old and new value. For long lists, `values` has the items added and removed. Phones, mail addresses and
names of people are stored masked. A password is never stored, only the fact that it was changed.
"""

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifications.masks import mask_mail, mask_name, mask_phone
from notifications.models import Contact
from orders.lists.personal_data import mask_text_or_json

MASKS = {"phone": mask_phone, "tel": mask_phone, "email": mask_mail, "mail": mask_mail}
FEW = 8
"""A list with at most so many items, such as an account's roles, is stored whole, with its old and new items."""


class NotesValues:
    """A ModelAdmin whose log entries store old and new values, shown on its history pages."""

    value_words: Callable[[Any], str] = staticmethod(str)
    """Returns the name of a row selected in a field."""

    def history_view(self, request, object_id, extra_context=None):
        answer = super().history_view(request, object_id, extra_context)
        for entry in getattr(answer, "context_data", {}).get("action_list", ()):
            entry.get_change_message = functools.partial(entry_words, entry)
        return answer

    def construct_change_message(self, request, form, formsets, add=False):
        message = super().construct_change_message(request, form, formsets, add)
        if not isinstance(message, list):
            return message
        given = [name for name in form.changed_data if name in form.fields]
        if add:
            given = [name for name in given if _is_many(form.cleaned_data.get(name))]
            message += [{"changed": {"fields": given}}] if given else []
        values = [self._change(form, name) for name in given]
        for part in message:
            if "changed" in part and "name" not in part["changed"]:
                part["changed"]["values"] = values
        return message

    def _change(self, form, name: str) -> dict[str, Any]:
        if name == "password":
            return {"field": name}
        field, new = form.fields[name], form.cleaned_data.get(name)
        old = form.get_initial_for_field(field, name)
        if name not in {known.name for known in _fields(self.model)}:
            name = str(field.label)
        if _is_many(old) or _is_many(new):
            before, after = ({self.value_words(row) for row in rows or ()} for rows in (old, new))
            if max(len(before), len(after)) <= FEW:
                return {"field": name, "old": sorted(before), "new": sorted(after)}
            return {"field": name, "added": sorted(after - before), "removed": sorted(before - after)}
        if hasattr(field, "queryset") and old is not None:
            old = field.queryset.filter(pk=old).first() or old
        mask = mask_name if self.model is Contact and name == "name" else MASKS.get(name)
        return {"field": name, "old": _value(old, mask), "new": _value(new, mask)}


def _is_many(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | dict)


def _value(value: Any, mask: Callable[[str], str] | None) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else str(value)
    return mask(text) if mask and text else text


def entry_words(entry: LogEntry) -> str:
    kind = entry.content_type_id and ContentType.objects.get_for_id(entry.content_type_id)  # cached by Django
    model = kind.model_class() if kind else None
    sentence = words_of_change(model, entry.change_message) or LogEntry.get_change_message(entry)
    return mask_text_or_json(sentence) or entry.get_action_flag_display()


def words_of_change(model: type[Model] | None, message: str) -> str:
    """Returns an entry's message as text: `启用：是 → 否`. The text is empty if the message is not Django's, or has no
    fields."""
    try:
        parts = json.loads(message)
        changed = [part["changed"] for part in parts if part != {"added": {}}]
    except (ValueError, TypeError, KeyError):
        return ""
    if model is None or any(not isinstance(part, dict) or "name" in part for part in changed):
        return ""
    sentences = [
        _value_words(model, value) for part in changed for value in part.get("values") or _old_entry(model, part)
    ]
    return _("; ").join(sentences)


def _old_entry(model: type[Model], part: dict) -> list[dict]:
    """Returns the fields of an entry without values. Such an entry has only the English labels of the fields."""
    with override(None):
        known = {str(capfirst(field.verbose_name)): field.name for field in _fields(model)}
    return [{"field": known.get(label, label)} for label in part.get("fields", [])]


def _fields(model: type[Model]) -> list:
    return [*model._meta.concrete_fields, *model._meta.many_to_many]


def _value_words(model: type[Model], value: dict) -> str:
    name = str(value.get("field", ""))
    if model is get_user_model() and name == "is_active" and "new" in value:
        return _("The account was enabled") if value["new"] else _("The account was disabled")
    label = next((str(capfirst(field.verbose_name)) for field in _fields(model) if field.name == name), name)
    if "added" in value:
        signs = (("+", value.get("added", [])), ("−", value.get("removed", [])))
        return f"{label}{_(': ')}" + " ".join(f"{sign} {_(', ').join(names)}" for sign, names in signs if names)
    if "new" in value:
        return f"{label}{_(': ')}{_shown(value.get('old'))} → {_shown(value['new'])}"
    return _("%(field)s changed") % {"field": label}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        value = _(", ").join(value)
    return _("(empty)") if value in (None, "") else str(value)
