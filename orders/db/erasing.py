"""The database's function that erases personal data from append-only tables (contract 3.14).

An INSERT into `orders_erasure` executes it. The function changes the rows that the new row's `texts` names, empties
operator and opinion of the order's approval records, and then sets `texts` to null. The guards of approvals, events and
trail let a change pass only while a row has `texts`. Only the function sees such a row, since nobody can commit one.
`orders_erasure` itself refuses changes and deletions.
"""

from approvals.append_only import RowGuard

TABLE, IN_PROGRESS = "orders_erasure", "EXISTS (SELECT 1 FROM orders_erasure WHERE texts IS NOT NULL)"
_REFUSED = "rows of erasures are never changed"
_COPIES = {"orders_orderevent": ("events", "order_id = NEW.order_id AND "), "orders_trailentry": ("trail", "")}
"""The tables whose `data` the function replaces: the key in `texts`, and the condition for the rows."""
_REST = (
    "UPDATE approvals_approvalrecord SET operator = '', opinion = '' WHERE order_id = NEW.order_id;"
    f" UPDATE {TABLE} SET texts = NULL WHERE id = NEW.id;"
)
_SQLITE = "".join(
    f" UPDATE {table} SET data = (SELECT value FROM json_each(NEW.texts, '$.{key}')"
    f" WHERE CAST(key AS INTEGER) = {table}.id)"
    f" WHERE {ours}id IN (SELECT CAST(key AS INTEGER) FROM json_each(NEW.texts, '$.{key}'));"
    for table, (key, ours) in _COPIES.items()
)
_POSTGRESQL = "".join(
    f" UPDATE {table} SET data = texts_now.value FROM jsonb_each(NEW.texts -> '{key}') AS texts_now"
    f" WHERE {ours}{table}.id = texts_now.key::bigint;"
    for table, (key, ours) in _COPIES.items()
)
FUNCTION = {
    "sqlite": [
        f"CREATE TRIGGER {TABLE}_erase AFTER INSERT ON {TABLE} WHEN NEW.texts IS NOT NULL BEGIN{_SQLITE} {_REST} END"
    ],
    "postgresql": [
        f"CREATE OR REPLACE FUNCTION {TABLE}_erase() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN{_POSTGRESQL} {_REST} RETURN NULL; END $$",
        f"CREATE OR REPLACE TRIGGER {TABLE}_erase AFTER INSERT ON {TABLE}"
        f" FOR EACH ROW WHEN (NEW.texts IS NOT NULL) EXECUTE FUNCTION {TABLE}_erase()",
    ],
}
DROP = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_erase"],
    "postgresql": [f"DROP TRIGGER IF EXISTS {TABLE}_erase ON {TABLE}", f"DROP FUNCTION IF EXISTS {TABLE}_erase()"],
}
erasures = RowGuard(
    TABLE,
    "guard",
    sqlite={
        "update": f"WHEN OLD.texts IS NULL OR NEW.texts IS NOT NULL BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        "delete": f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    },
    postgresql="BEGIN IF TG_OP = 'UPDATE' AND OLD.texts IS NOT NULL AND NEW.texts IS NULL THEN RETURN NEW; END IF;"
    f" RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'restrict_violation'; END",
)
