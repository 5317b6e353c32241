"""No mail twice for an order (or none), a kind, a cause and an addressee. Mails of before have no cause."""

from django.db import migrations, models

INDEXES = {
    "mail_once": ("order_id, kind, cause, addressee", "cause <> ''"),
    "mail_of_no_order_once": ("kind, cause, addressee", "order_id IS NULL AND cause <> ''"),
}


def make(apps, schema_editor) -> None:
    beside = schema_editor.connection.vendor == "postgresql"
    for name, (columns, condition) in INDEXES.items():
        if beside:  # one that was not finished counts as there
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        how = "CONCURRENTLY IF NOT EXISTS" if beside else "IF NOT EXISTS"
        schema_editor.execute(f"CREATE UNIQUE INDEX {how} {name} ON notifications_mail ({columns}) WHERE {condition}")


def drop(apps, schema_editor) -> None:
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL makes the indexes beside the work
    dependencies = [("notifications", "0004_mail_outbox")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(make, drop)],
            state_operations=[
                migrations.AddConstraint(
                    model_name="mail",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("cause", ""), _negated=True),
                        fields=("order", "kind", "cause", "addressee"),
                        name="mail_once",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="mail",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("order", None), models.Q(("cause", ""), _negated=True)),
                        fields=("kind", "cause", "addressee"),
                        name="mail_of_no_order_once",
                    ),
                ),
            ],
        )
    ]
