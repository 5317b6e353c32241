"""Expressions for compiled queries (orders.db.compiled_sql) and for queries that need a partial index."""

from django.db.models import BooleanField, Func, JSONField, QuerySet, Subquery

from orders.db.compiled_sql import Slot, one_of, quoted
from orders.db.indexes import BY_STAFF, IN_TRAIL


class OneOf(Func):
    """Matches a column whose value is in a list of numbers or texts. The list may be long or empty."""

    output_field = BooleanField()

    def __init__(self, column: str, name: str):
        super().__init__(column)
        self.slot = Slot(name, is_list=True)

    def as_sql(self, compiler, connection):
        sql, values = compiler.compile(self.source_expressions[0])
        return f"{sql} {one_of(connection.vendor)}", [*values, self.slot]


class Among(Func):
    """Matches a column whose value is one of a few constant texts, which are written into the SQL.

    SQLite uses an index whose condition is such a list (orders.db.indexes) only if the query has the same list in the
    same order. It does not recognise the list in bound parameters.
    """

    output_field = BooleanField()

    def __init__(self, column: str, *texts: str):
        if not all(text.isidentifier() for text in texts):
            raise ValueError(f"{texts} are not all plain words")
        super().__init__(column)
        self.texts = texts

    def as_sql(self, compiler, connection):
        sql, values = compiler.compile(self.source_expressions[0])
        texts = ", ".join(f"'{text}'" for text in self.texts)
        return f"{sql} IN ({texts})", values


class _IsActor(Func):
    """Matches actors of a kind, by the condition of a partial index (orders.db.indexes)."""

    output_field = BooleanField()
    words: str

    def as_sql(self, compiler, connection):
        sql, values = compiler.compile(self.source_expressions[0])
        return f"({self.words.format(sql)})", values


class IsOfStaff(_IsActor):
    """Matches actors that are accounts of the desk. The index is `event_of_person`."""

    words = BY_STAFF


class IsInTrail(_IsActor):
    """Matches actors whose events the trail shows: staff, commands, other systems and the company log-in.

    The indexes are `event_in_trail` and `event_of_actor`.
    """

    words = IN_TRAIL


class RowsOf(Subquery):
    """The rows of a query as one JSON value: a list of lists of these columns, which are numbers, texts or booleans."""

    def __init__(self, rows: QuerySet, *names: str):
        super().__init__(rows.values_list(*names), output_field=JSONField())
        self.names = names

    def as_sql(self, compiler, connection, **more):
        sql, params = super().as_sql(compiler, connection, **more)
        names = ", ".join(map(quoted, self.names))
        if connection.vendor == "postgresql":
            return f"(SELECT COALESCE(json_agg(json_build_array({names})), '[]')::text FROM {sql} AS rows_of)", params
        return f"(SELECT json_group_array(json_array({names})) FROM {sql})", params
