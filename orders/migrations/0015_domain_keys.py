"""The keys of internationalized domains become those of their form in ASCII (contract 2.4).

A key of an ASCII name is what it was. A row stays as it is where its order has the domain in both forms: it was ordered
and billed twice, which a comparison with the big-data side names.
"""

from django.db import IntegrityError, migrations, transaction

from orders.rules.content import domain_key

BATCH = 500
BEYOND_ASCII = {"sqlite": "length(CAST({0} AS BLOB)) <> length({0})", "postgresql": "octet_length({0}) <> length({0})"}
TABLES = [("OrderDomain", "name", "key"), ("BillingRecord", "domain", "domain_key")]


def give_new_keys(apps, schema_editor) -> None:
    """Gives the rows of each table their keys, BATCH rows at a time. It may be run again."""
    for model, name, key in TABLES:
        rows = apps.get_model("orders", model).objects.using(schema_editor.connection.alias)
        beyond = BEYOND_ASCII[schema_editor.connection.vendor].format(name)
        last = 0
        while batch := list(rows.only(name, key).filter(pk__gt=last).extra(where=[beyond]).order_by("pk")[:BATCH]):
            last = batch[-1].pk
            for row in batch:
                _give_key(rows, row, key, domain_key(getattr(row, name)))


def _give_key(rows, row, key: str, new: str) -> None:
    if getattr(row, key) == new:
        return
    try:
        with transaction.atomic(using=rows.db):
            rows.filter(pk=row.pk).update(**{key: new})
    except IntegrityError:  # the order has this domain in its other form too
        return


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0014_whole_comparisons")]
    operations = [migrations.RunPython(give_new_keys, migrations.RunPython.noop)]
