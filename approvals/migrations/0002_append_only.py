"""Triggers that refuse UPDATE and DELETE on the approval history; see approvals.append_only."""

from django.db import migrations

from approvals.append_only import install, remove


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
