"""Orders whose trouble nobody was mailed about."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0021_carry_incident_notes")]
    operations = [
        migrations.AddField(
            model_name="affectedorder",
            name="quiet",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
