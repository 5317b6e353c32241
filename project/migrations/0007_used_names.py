"""User names that were ever used, and who made an account or gave it something."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("project", "0006_trial_ends")]
    operations = [
        migrations.CreateModel(
            name="UsedName",
            fields=[
                ("name", models.CharField(max_length=150, primary_key=True, serialize=False, verbose_name="user name")),
            ],
            options={
                "verbose_name": "used user name",
                "verbose_name_plural": "used user names",
                "default_permissions": [],
            },
        ),
        migrations.AddField(
            model_name="user",
            name="given_by",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
