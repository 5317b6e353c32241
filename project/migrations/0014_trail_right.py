"""Lets auditors and administrators see the trail. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("project", "0013_company_accounts"), ("orders", "0041_trail_guard")]
    operations = [migrations.RunPython(give_new_right("orders", "view_trailentry"), migrations.RunPython.noop)]
