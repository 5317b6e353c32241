"""The right to make test calls."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("integrations", "0005_drop_call_counts")]
    operations = [
        migrations.AlterModelOptions(
            name="breaker",
            options={
                "ordering": ["partner"],
                "permissions": [("probe_partners", "Can make test calls")],
                "verbose_name": "breaker",
                "verbose_name_plural": "breakers",
            },
        ),
    ]
