"""The indexes behind the staff's lists, search and dashboard. By hand: Django has no words for half of them.

All are `IF NOT EXISTS`, so a later migration may run `install` again; it must, where SQLite makes one of these tables
anew, for an index made by hand goes with the old table.
"""

from django.db import DatabaseError, transaction

NEEDS = "state IN ('held', 'failed')"
NOT_LIVE = "kind = 'activation' AND state IN ('in_progress', 'held', 'awaiting_approval', 'scheduled', 'failed')"
OPEN = "state IN ('due', 'retrying', 'sending')"

# name: (table, columns, condition). Those that end in all that the dashboard asks answer it without the table.
PLAIN = {
    "order_received": ("orders_order", "received_at, kind, state, attribution_id", ""),
    "order_biz_start": ("orders_order", "biz_start, kind, state, attribution_id", ""),
    "order_needs": ("orders_order", "state, held_because, attribution_id", NEEDS),
    "order_not_live": ("orders_order", "biz_start, attribution_id", NOT_LIVE),
    "order_held": ("orders_order", "held_because, id DESC", "held_because <> ''"),
    "order_attribution": ("orders_order", "attribution_id, id DESC", ""),
    "affected_since": ("orders_affectedorder", "since", ""),
    "dispatch_backlog": ("orders_dispatch", "channel, next_try_at", OPEN),
    "dispatch_ended_badly": ("orders_dispatch", "state, id DESC", "state IN ('failed', 'closed', 'undone')"),
    "dispatch_stuck": ("orders_dispatch", "channel, order_id", "state IN ('failed', 'retrying')"),
    "billing_not_live": ("orders_billingrecord", "state, id DESC", "state <> 'live'"),
    "inbound_refused": ("orders_inboundmessage", "rsp_code, biz_code, id DESC", "rsp_code <> '00000'"),
    "inbound_received": ("orders_inboundmessage", "received_at", ""),
}
# The beginning of a word: LIKE 'x%'. Unique and db_index columns have theirs from Django.
BEGINNINGS = {
    "order_product_like": ("orders_order", "product_id varchar_pattern_ops", ""),
    "order_enterprise_like": ("orders_order", "enterprise_id varchar_pattern_ops", ""),
    "order_name_like": ("orders_order", "enterprise_name varchar_pattern_ops", ""),
}
TRIGRAMS = (
    "CREATE INDEX IF NOT EXISTS order_name_trigrams ON orders_order"
    " USING gin (UPPER(enterprise_name::text) gin_trgm_ops)"
)


def install(apps, schema_editor) -> None:
    """For migrations: makes what is missing."""
    postgres = schema_editor.connection.vendor == "postgresql"
    for name, (table, columns, condition) in (PLAIN | (BEGINNINGS if postgres else {})).items():
        where = f" WHERE {condition}" if condition else ""
        schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns}){where}")
    if postgres:
        _add_trigrams(schema_editor)


def _add_trigrams(schema_editor) -> None:
    """Pieces from the middle of a name. Where the extension is refused, such a search is slower and still right."""
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(TRIGRAMS)
    except DatabaseError as error:
        print(f"\n  no trigram index for enterprise names ({error}); ask the database's owner for pg_trgm")


def remove(apps, schema_editor) -> None:
    """For migrations, backwards. The extension stays: others may use it."""
    for name in [*PLAIN, *BEGINNINGS, "order_name_trigrams"]:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
