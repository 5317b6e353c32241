"""Reads by many keys, in statements that the database takes: an order of 2 MiB can hold a hundred thousand domains."""

from collections.abc import Iterable, Iterator

from django.db.models import Model

KEYS_A_STATEMENT = 10_000  # PostgreSQL takes 65,535 values in one statement, some builds of SQLite 32,766


def in_batches(keys: Iterable[int]) -> Iterator[list[int]]:
    """The keys in lists that one statement can take."""
    keys = list(keys)
    for start in range(0, len(keys), KEYS_A_STATEMENT):
        yield keys[start : start + KEYS_A_STATEMENT]


def load_rows(model: type[Model], keys: Iterable[int]) -> dict[int, Model]:
    """The rows of these keys, by key."""
    return {pk: row for batch in in_batches(keys) for pk, row in model.objects.in_bulk(batch).items()}
