"""The indexes for the staff's lists, search and dashboard. They are SQL, since Django can't express half of them.

All are `IF NOT EXISTS`, so a later migration may run `install` again. It must do so if SQLite rebuilds one of these
tables, since the old table's indexes from here are lost then.
"""

import re

from django.db import DatabaseError, transaction

NEEDS = "state IN ('held', 'failed')"
NOT_LIVE = "kind = 'activation' AND state IN ('in_progress', 'held', 'awaiting_approval', 'scheduled', 'failed')"
STATES_WITH_LIMIT = ("in_progress", "held", "awaiting_approval", "failed")  # states with a deadline
STEP_IS_OPEN = "state IN ('due', 'retrying', 'sending')"
BY_STAFF = "substr({0}, 1, 6) = 'staff:'"
IN_TRAIL = BY_STAFF + " OR substr({0}, 1, 8) = 'command:' OR substr({0}, 1, 4) = 'api:' OR {0} = 'company'"

# {name: (table, columns, condition)}. Some end in every column that the dashboard reads, so it needs only the index.
PLAIN = {
    "order_received": ("orders_order", "received_at, kind, state, attribution_id", ""),
    "order_biz_start": ("orders_order", "biz_start, kind, state, attribution_id", ""),
    "order_needs": ("orders_order", "state, held_because, attribution_id", NEEDS),
    "order_not_live": ("orders_order", "biz_start, attribution_id", NOT_LIVE),
    "order_held": ("orders_order", "held_because, id DESC", "held_because <> ''"),
    "order_enterprise": ("orders_order", "enterprise_id, id DESC", ""),
    "order_attribution": ("orders_order", "attribution_id, id DESC", ""),
    "order_biz_end": ("orders_order", "biz_end, state", "biz_end IS NOT NULL"),
    "order_state_since": ("orders_order", "state_since DESC, id DESC", ""),
    "order_in_time": (
        "orders_order",
        "state_since, id, state, kind, attribution_id, owner_id",
        "state IN ('{}')".format("', '".join(STATES_WITH_LIMIT)),
    ),
    # PostgreSQL counts by this index alone only if it has each column that is named.
    "order_service": (
        "orders_order",
        "COALESCE(changed_service_id, service_type_id), id DESC, changed_service_id, service_type_id",
        "",
    ),
    "order_owner": ("orders_order", "owner_id, id DESC", "owner_id IS NOT NULL"),
    "difference_owner": ("orders_difference", "owner_id, id DESC", "owner_id IS NOT NULL"),
    "event_of_person": ("orders_orderevent", "actor, id DESC", BY_STAFF.format("actor")),
    "event_in_trail": ("orders_orderevent", "at DESC, id DESC", IN_TRAIL.format("actor")),
    "event_of_actor": ("orders_orderevent", "actor, at DESC, id DESC", IN_TRAIL.format("actor")),
    "trail_of_account": ("orders_trailentry", "account_id, at DESC", "account_id IS NOT NULL"),
    "trail_code": ("orders_trailentry", "code, at DESC", ""),
    "trail_address": ("orders_trailentry", "address, at DESC", ""),
    "journal_at": ("django_admin_log", "action_time DESC, id DESC", ""),
    "affected_since": ("orders_affectedorder", "since", ""),
    "dispatch_backlog": ("orders_dispatch", "channel, next_try_at", STEP_IS_OPEN),
    "dispatch_ended_badly": ("orders_dispatch", "state, id DESC", "state IN ('failed', 'closed', 'undone')"),
    "dispatch_moves": ("orders_dispatch", "order_id", f"step IN ('move_start_billing') AND {STEP_IS_OPEN}"),
    "dispatch_stuck": ("orders_dispatch", "channel, order_id", "state IN ('failed', 'retrying')"),
    "billing_not_live": ("orders_billingrecord", "state, id DESC", "state <> 'live'"),
    "inbound_refused": ("orders_inboundmessage", "rsp_code, biz_code, id DESC", "rsp_code <> '00000'"),
    "inbound_received": ("orders_inboundmessage", "received_at", ""),
    "billing_created": ("orders_billingrecord", "create_time", "create_time IS NOT NULL"),
    "attempt_started": ("orders_attempt", "started_at", ""),
    "difference_found": ("orders_difference", "found_at", ""),
    "customer_seen": ("orders_customer", "last_seen", ""),
    "customer_without_texts": ("orders_customer", "enterprise_id, texts", "texts IS NULL"),
    "mail_written": ("notifications_mail", "written_at", ""),
    "mail_due": ("notifications_mail", "next_try_at", "next_try_at IS NOT NULL"),
    "mail_given_up": ("notifications_mail", "order_id, kind, error_code", "state = 'failed'"),
    "usage_asked": ("orders_trialusage", "asked_at", ""),
}
# PostgreSQL's own, also in place of a plain one of the same name. Most are for searches by a word's beginning (LIKE
# 'x%'); unique and db_index columns get such an index from Django. In the others empty values stand where SQLite has
# them.
ON_POSTGRESQL = {
    "order_state_since": ("orders_order", "state_since DESC NULLS LAST, id DESC", ""),
    "order_product_like": ("orders_order", "product_id varchar_pattern_ops", ""),
    "order_enterprise": ("orders_order", "enterprise_id varchar_pattern_ops, id DESC", ""),
    "order_name_like": ("orders_order", "enterprise_name varchar_pattern_ops", ""),
}
# Django makes two indexes on PostgreSQL for a text that is looked up: one for LIKE 'x%', which finds equal texts too,
# and another one for equal texts. Of each pair here only the one that is used stays, since each order writes them all.
# The search of 1.11.0 looked for names in the first one.
NOT_USED = [
    "order_name_trigrams",
    "orders_acceptedcall_trans_ido_487dd119_like",
    "orders_billingrecord_domain_key_9225bc6f",
    "orders_domaintext_text_37df5242_like",
    "orders_inboundmessage_order_number_b00a430f",
    "orders_inboundmessage_trans_ido_91ca57cf",
    "orders_order_service_type_id_dbab13d0",
    "orders_order_service_type_id_dbab13d0_like",
    "orders_order_trial_number_8f0939a2",
    "orders_orderdomain_key_e37f1332",
]
# {name: (table, column)} of texts of which any part is looked for, on PostgreSQL.
TRIGRAMS = {
    "order_text_trigrams": ("orders_ordertext", "number"),
    "domain_text_trigrams": ("orders_domaintext", "text"),
    "customer_trigrams": ("orders_customer", "texts"),
}


def leads_an_index(table: str, column: str) -> bool:
    """Returns True if an index of this module begins with the column and contains each row where the column is not
    null.
    """
    return any(
        (table, column) == (indexed, columns.split(",")[0]) and condition in ("", f"{column} IS NOT NULL")
        for indexed, columns, condition in PLAIN.values()
    )


def install(apps, schema_editor) -> None:
    """Create the missing indexes, in a migration. On PostgreSQL a non-atomic migration creates them concurrently.

    Skips tables and columns that a later migration creates.
    """
    postgres = schema_editor.connection.vendor == "postgresql"
    beside = postgres and not schema_editor.atomic_migration
    if beside:
        _drop_unfinished(schema_editor)
    how = "CONCURRENTLY IF NOT EXISTS" if beside else "IF NOT EXISTS"
    for name, (table, columns, condition) in (PLAIN | (ON_POSTGRESQL if postgres else {})).items():
        if not _is_there(schema_editor, table, columns):
            continue
        where = f" WHERE {condition}" if condition else ""
        schema_editor.execute(f"CREATE INDEX {how} {name} ON {table} ({columns}){where}")
    if postgres and not beside:
        add_trigrams(None, schema_editor)


def _is_there(schema_editor, table: str, columns: str) -> bool:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return False
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # introspection would parse the table's SQL
        known = {column[0] for column in cursor.description}
    return {word for word in re.findall(r"[a-z_]+", columns) if not word.endswith("_ops")} <= known


def _drop_unfinished(schema_editor) -> None:
    """Drop invalid indexes of an interrupted run: PostgreSQL never uses them, but IF NOT EXISTS would skip them."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE NOT indisvalid")
        unfinished = {name for (name,) in cursor.fetchall()} & {*PLAIN, *ON_POSTGRESQL}
    for name in sorted(unfinished):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def add_trigrams(apps, schema_editor) -> None:
    """Create the trigram indexes for substring search, in a migration. Without the extension search is slower but
    correct.

    The indexes are created with a lock: only the worker writes these tables, after its deliveries, so no request waits.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for name, (table, column) in TRIGRAMS.items():
                if _is_there(schema_editor, table, column):
                    ops = f"{column} gin_trgm_ops"
                    schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin ({ops})")
    except DatabaseError as error:
        print(f"\n  no trigram indexes for the search ({error}); ask the database's owner for pg_trgm")


def drop_not_used(apps, schema_editor) -> None:
    """Drop the indexes that no query uses, in the migration after the one that creates their tables."""
    if schema_editor.connection.vendor == "postgresql":
        for name in NOT_USED:
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


def remove(apps, schema_editor) -> None:
    """Drop the indexes, in a reverse migration. The extension stays, since other applications may use it."""
    for name in [*PLAIN, *ON_POSTGRESQL, *TRIGRAMS]:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
