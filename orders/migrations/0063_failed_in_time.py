"""The limit that failed orders begin with; and the index by which late orders are found holds them too."""

from django.db import migrations

from orders.db.indexes import install

INDEX = "order_in_time"


def add_limit(apps, schema_editor) -> None:
    """May run again."""
    rows = apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias)
    rows.get_or_create(state="failed", kind="", attribution=None, defaults={"amount": 1, "unit": "days"})


def remove_limit(apps, schema_editor) -> None:
    apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias).filter(state="failed").delete()


def drop_narrow_index(apps, schema_editor) -> None:
    """Drops the index where it does not hold failed orders: `install` then makes it again. May run again."""
    connection = schema_editor.connection
    postgres = connection.vendor == "postgresql"
    table, name, text = ("pg_indexes", "indexname", "indexdef") if postgres else ("sqlite_master", "name", "sql")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text} FROM {table} WHERE {name} = %s", [INDEX])
        found = cursor.fetchone()
    if found and "failed" not in found[0]:
        schema_editor.execute(f"DROP INDEX {'CONCURRENTLY ' if postgres else ''}IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the index beside the work
    dependencies = [("orders", "0062_failed_limit")]
    operations = [
        migrations.RunPython(add_limit, remove_limit),
        migrations.RunPython(drop_narrow_index, migrations.RunPython.noop),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
