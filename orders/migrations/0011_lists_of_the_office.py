"""Since when an order is in its state, and the indexes behind the lists' times; see orders.db.indexes."""

from django.db import migrations, models

from orders.db.indexes import install


def drop_state_since(apps, schema_editor) -> None:
    """SQLite can't drop a column that an index names."""
    schema_editor.execute("DROP INDEX IF EXISTS order_state_since")


class Migration(migrations.Migration):
    atomic = False  # so that nobody waits for a table
    dependencies = [("notifications", "0001_initial"), ("orders", "0010_scheduled_exports")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="state_since",
            field=models.DateTimeField(
                blank=True,
                help_text="empty: since before the desk noted it",
                null=True,
                verbose_name="in this state since",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="oper_user",
            field=models.CharField(blank=True, max_length=128, verbose_name="operator's name"),
        ),
        migrations.RunPython(install, drop_state_since),
    ]
