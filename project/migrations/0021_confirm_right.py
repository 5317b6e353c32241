"""Lets the approvers (审批主管) confirm what colleagues ask for, and everybody see it. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0025_digest"),
        ("orders", "0052_asked_acts"),
    ]
    operations = [
        migrations.RunPython(give_new_right("orders", right), migrations.RunPython.noop)
        for right in ("view_askedact", "confirm_act")
    ]
