"""Released versions from the repository's history, and made-up next versions of this checkout.

The next versions make a change of the schema in the steps of docs/mechanisms/versions.md, one step each:

1.18.0+0  this checkout
1.18.0+1  expand: `orders_order` gains `source`, and `data_flow` gets a default; no code knows of it
1.18.0+2  migrate: the code writes `source` and no longer `data_flow`; nothing changes in the database
1.18.0+3  contract: `data_flow` is dropped
"""

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from project import __version__
from tests.harness.checkout import change, copy_checkout
from tests.harness.children import ROOT

RELEASED = {"1.10.0": "302c5798", "1.17.0": "4882e254"}
"""The commits of the versions that `migrate` takes. The last one is the version before."""
NEXT = [f"{__version__}+{step}" for step in range(1, 4)]
SOURCE = 'models.CharField(max_length=20, default="", db_default="")'
MIGRATION = """
from django.db import migrations, models
from orders.db.indexes import install

class Migration(migrations.Migration):
    dependencies = [("orders", "{after}")]
    operations = [{operations}]
"""
EXPAND = f"""
    migrations.SeparateDatabaseAndState(database_operations=[
        migrations.AddField("order", "source", {SOURCE}),
        migrations.AlterField("order", "data_flow", models.CharField(max_length=64, blank=True, db_default="")),
    ]),
    migrations.RunPython(install, migrations.RunPython.noop),
"""
MIGRATE = f"""
    migrations.SeparateDatabaseAndState(state_operations=[
        migrations.AddField("order", "source", {SOURCE}),
        migrations.RemoveField("order", "data_flow"),
    ]),
"""
CONTRACT = """
    migrations.RunSQL(
        "ALTER TABLE orders_order DROP COLUMN data_flow",
        "ALTER TABLE orders_order ADD COLUMN data_flow varchar(64) NOT NULL DEFAULT ''",
    ),
"""
CODE = {
    "orders/models/order.py": [
        ('data_flow = models.CharField(_("data flow"), max_length=64, blank=True)', f"source = {SOURCE}")
    ],
    "orders/intake/write_planned_order.py": [
        ('"billing_method", "data_flow", ', '"billing_method", '),
        ("        given=[", '        source="bboss",\n        given=['),
    ],
    "orders/intake/facts.py": [("        data_flow=order.data_flow,\n", "")],
    "integrations/bboss/order_fields.py": [("most=Order._meta.get_field(source).max_length", "most=64")],
    "orders/intake/plan_or_hold.py": [('        "data_flow": content.data_flow or trial.data_flow,\n', "")],
    "orders/admin/order_list.py": [('        "data_flow",\n', ""), ('    number_columns = ("data_flow",)\n', "")],
}


def released(version: str, folder: Path) -> Path:
    """Extracts a released version into `folder` and returns the folder. Skips the test if there is no history."""
    found = subprocess.run(["git", "archive", RELEASED[version]], cwd=ROOT, check=False, capture_output=True)
    if found.returncode:
        pytest.skip(f"the checkout has no history: {found.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def make_releases(folder: Path) -> dict[str, Path]:
    """Returns {version: its checkout} for this version and the made-up next versions, in this order."""
    releases = {__version__: copy_release(folder / __version__)}
    steps = {"expand": EXPAND, "migrate": MIGRATE, "contract": CONTRACT}
    for version, (name, operations) in zip(NEXT, steps.items(), strict=True):
        release = copy_release(folder / version)
        change(release, "project/__init__.py", f'"{__version__}"', f'"{version}"')
        before = list(releases.values())[-1]
        shutil.copytree(before / "orders" / "migrations", release / "orders" / "migrations", dirs_exist_ok=True)
        _add_migration(release, name, operations)
        if name != "expand":
            for file, changes in CODE.items():
                for old, new in changes:
                    change(release, file, old, new)
        releases[version] = release
    return releases


def add_expansion(release: Path, version: str) -> None:
    """Turns a checkout into the first made-up next version, with `version` as its number."""
    change(release, "project/__init__.py", f'"{__version__}"', f'"{version}"')
    _add_migration(release, "expand", EXPAND)


def copy_release(release: Path) -> Path:
    """Copies this checkout as a release. Its `venv` is a link to the environment of this run's interpreter."""
    copy_checkout(release, without=["tests", "docs", "bench"])
    (release / "venv").symlink_to(sys.prefix)
    return release


def _add_migration(release: Path, name: str, operations: str) -> None:
    folder = release / "orders" / "migrations"
    last = max(file.stem for file in folder.glob("0*.py"))
    file = folder / f"{int(last[:4]) + 1:04}_{name}.py"
    file.write_text(MIGRATION.format(after=last, operations=operations), encoding="utf-8")
