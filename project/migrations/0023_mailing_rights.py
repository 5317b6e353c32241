"""Lets roles read the mail rules, administrators keep them, and the office push an approval. What a site has taken
stays taken."""

from django.db import migrations

from project.accounts.roles import give_new_right

NEW = [("notifications", f"{act}_mailrule") for act in ("view", "add", "change", "delete")]
NEW += [("orders", "push_approval")]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("project", "0021_confirm_right"),
        ("notifications", "0011_mail_rules"),
        ("orders", "0055_push_right"),
    ]
    operations = [migrations.RunPython(give_new_right(*right), migrations.RunPython.noop) for right in NEW]
