"""The base of the models whose rows are made for each order and each call."""

import functools
from collections.abc import Callable
from typing import TypeVar

from django.db import models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)


class Row(models.Model):
    """A model whose constructor sends no signals, which makes new instances four times as fast
    (docs/mechanisms/fast-writes.md).
    """

    class Meta:
        abstract = True

    def __init__(self, *args, **values):
        defaults, anew, names = _columns(type(self))
        if args or not values.keys() <= names:  # loaded from the database, or with names that are no fields
            super().__init__(*args, **values)
            return
        self._state = ModelState()
        columns = self.__dict__
        columns.update(defaults)
        for name, make in anew:
            if name not in values:
                columns[name] = make()
        for name, value in values.items():
            if name in columns:
                columns[name] = value
            else:  # a related instance
                setattr(self, name, value)


def bare(model: type[M]) -> M:
    """Returns an instance without values, to be filled from a row of the database."""
    row = model.__new__(model)
    row._state = ModelState()
    return row


@functools.cache
def _columns(model: type[models.Model]) -> tuple[dict, list[tuple[str, Callable]], frozenset[str]]:
    """Returns the constant defaults of a model's columns, the callable defaults, and the names of its fields."""
    fields = model._meta.concrete_fields
    anew = {field.attname: field.default for field in fields if field.has_default() and callable(field.default)}
    defaults = {field.attname: None if field.attname in anew else field.get_default() for field in fields}
    return defaults, list(anew.items()), frozenset(defaults) | {field.name for field in fields}
