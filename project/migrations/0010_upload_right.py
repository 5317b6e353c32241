"""Lets the roles that get orders going upload files for them. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0009_approver_role"), ("orders", "0027_upload_right")]
    operations = [migrations.RunPython(give_new_right("orders", "upload_file"), migrations.RunPython.noop)]
