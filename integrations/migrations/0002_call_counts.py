"""Counts of calls by caller and time, so that a rate costs the same however high it is (contract 2.3)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="CallCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("caller", models.CharField(max_length=80, verbose_name="caller")),
                ("part", models.BigIntegerField(verbose_name="part of the time")),
                ("calls", models.PositiveIntegerField(verbose_name="calls")),
                ("until", models.BigIntegerField(db_index=True)),
            ],
            options={"verbose_name": "count of calls", "verbose_name_plural": "counts of calls"},
        ),
        migrations.AddConstraint(
            model_name="callcount",
            constraint=models.UniqueConstraint(fields=("caller", "part"), name="one_count_per_caller_and_part"),
        ),
    ]
