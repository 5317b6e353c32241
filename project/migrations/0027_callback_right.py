"""Lets all roles see the callbacks of BPM that are kept. What a site has taken stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0002_squashed_0026_notices_gone"),
        ("integrations", "0012_bpm_callbacks"),
    ]
    operations = [
        migrations.RunPython(give_new_right("integrations", "view_bpmcallback"), migrations.RunPython.noop),
    ]
