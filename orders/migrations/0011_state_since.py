"""Since when an order is in its state."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial"), ("orders", "0010_scheduled_exports")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="state_since",
            field=models.DateTimeField(
                blank=True,
                help_text="empty: since before the desk noted it",
                null=True,
                verbose_name="in this state since",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="oper_user",
            field=models.CharField(blank=True, max_length=128, verbose_name="operator's name"),
        ),
    ]
