"""By what a customer is found, in its own row; orders.search.index fills it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0034_changed_services")]
    operations = [
        migrations.AddField(
            model_name="customer",
            name="texts",
            field=models.TextField(editable=False, null=True),
        ),
    ]
