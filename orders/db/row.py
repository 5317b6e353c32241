"""The base of the models whose rows are made for each order and each call."""

import functools
from collections.abc import Callable
from typing import TypeVar

from django.db import models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)


class Row(models.Model):
    """A model whose constructor sends no signals: a new row costs a quarter (docs/mechanisms/fast-writes.md)."""

    class Meta:
        abstract = True

    def __init__(self, *args, **values):
        defaults, anew, names = _columns(type(self))
        if args or not values.keys() <= names:  # from the database, or with more than columns and references
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
            else:  # another row, to which this one points
                setattr(self, name, value)


def bare(model: type[M]) -> M:
    """A row without columns, for one that comes from the database."""
    row = model.__new__(model)
    row._state = ModelState()
    return row


@functools.cache
def _columns(model: type[models.Model]) -> tuple[dict, list[tuple[str, Callable]], frozenset[str]]:
    """The defaults of a model's columns, how those are made that are made anew for each row, and its fields' names."""
    fields = model._meta.concrete_fields
    anew = {field.attname: field.default for field in fields if field.has_default() and callable(field.default)}
    defaults = {field.attname: None if field.attname in anew else field.get_default() for field in fields}
    return defaults, list(anew.items()), frozenset(defaults) | {field.name for field in fields}
