"""Keeps the user names that accounts have or had: from events, exports, runs, tokens and log entries, in batches."""

from collections.abc import Iterable, Iterator

from django.db import migrations
from django.db.models import Max, Min

STAFF = "staff:"
NAMED = {
    ("orders", "OrderEvent"): ["actor"],
    ("orders", "Export"): ["by", "judged_by"],
    ("orders", "BulkRun"): ["by"],
    ("integrations", "ApiToken"): ["made_by", "revoked_by"],
}
"""Model: its columns that hold an actor such as `staff:NAME`."""
BATCH = 20_000  # ids


def fill(apps, schema_editor) -> None:
    """May run again after it was stopped."""
    alias = schema_editor.connection.alias
    used = apps.get_model("project", "UsedName").objects.using(alias)

    def keep(names: Iterable[str]) -> None:
        rows = [used.model(name=name) for name in sorted(set(names)) if name and len(name) <= 150]
        used.bulk_create(rows, ignore_conflicts=True)

    accounts = apps.get_model("project", "User").objects.using(alias)
    keep(accounts.values_list("username", flat=True))
    for (app, model), columns in NAMED.items():
        rows = apps.get_model(app, model).objects.using(alias)
        for part in _parts(rows):
            for column in columns:
                actors = part.filter(**{f"{column}__startswith": STAFF}).order_by().values_list(column, flat=True)
                keep(actor.removeprefix(STAFF) for actor in actors.distinct())
    entries = apps.get_model("admin", "LogEntry").objects.using(alias)
    about = entries.filter(content_type__app_label="project", content_type__model="user")
    shown = dict(accounts.values_list("pk", "display_name"))
    for part in _parts(about):
        told = part.order_by().values_list("object_id", "object_repr").distinct()
        # An entry says how the account was called then: by its display name if it had one.
        keep(text for pk, text in told if not (pk and pk.isdecimal() and shown.get(int(pk)) == text))


def _parts(rows) -> Iterator:
    """The rows in parts of so many ids, so that no statement reads a large table whole."""
    ends = rows.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for start in range(ends["first"], ends["last"] + 1, BATCH):
        yield rows.filter(pk__gte=start, pk__lt=start + BATCH)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0007_used_names"),
        ("orders", "0019_accounts"),
        ("integrations", "0002_api_tokens"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
