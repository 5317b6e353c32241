"""Installs the database's function that erases personal data, and the guards that let it pass (orders/db/erasing.py).

On the way back the guards refuse every change again.
"""

from django.db import migrations

from approvals import append_only
from orders.db import erasing, trail_guard

BEFORE = (append_only.install, trail_guard.entries.install, trail_guard.events.install)
NOW = (append_only.guard, *trail_guard.ERASABLE, erasing.erasures)


def install(apps, schema_editor) -> None:
    vendor = schema_editor.connection.vendor
    for statement in (*erasing.DROP[vendor], *erasing.FUNCTION[vendor]):
        schema_editor.execute(statement)
    for guard in NOW:
        guard.install(apps, schema_editor)


def remove(apps, schema_editor) -> None:
    erasing.erasures.remove(apps, schema_editor)
    for statement in erasing.DROP[schema_editor.connection.vendor]:
        schema_editor.execute(statement)
    for install_before in BEFORE:
        install_before(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0079_erasures"), ("approvals", "0001_squashed_0004_process_key")]
    operations = [migrations.RunPython(install, remove)]
