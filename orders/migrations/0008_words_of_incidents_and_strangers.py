"""Incidents group by a partner's words; a message that nobody signed keeps its head, length and hash (contract 2.3)."""

from django.db import migrations, models

from orders.refusal_causes import words_of
from orders.db.indexes import install

OPEN = ["open", "acknowledged", "ignored"]
BEFORE_THE_SIGNATURE = ["20402", "20101", "20207", "20209", "20210", "20314", "20305", "20311", "20208"]


def fill_words(apps, schema_editor):
    """Incidents that are not over; until now one cause had one, so each has words of its own."""
    incidents = apps.get_model("orders", "Incident").objects.filter(state__in=OPEN)
    for incident in incidents.only("code", "detail").iterator():
        if words := words_of(incident.code, incident.detail):
            incidents.filter(pk=incident.pk).update(words=words)


def fill_signed(apps, schema_editor):
    messages = apps.get_model("orders", "InboundMessage").objects
    messages.filter(rsp_code__in=BEFORE_THE_SIGNATURE).update(signed=False)


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_list_indexes_again")]
    operations = [
        migrations.RemoveConstraint(model_name="incident", name="one_open_incident_per_cause"),
        migrations.AddField(
            model_name="incident",
            name="words",
            field=models.CharField(blank=True, default="", max_length=120, verbose_name="partner's words"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="inboundmessage",
            name="signed",
            field=models.BooleanField(default=True, verbose_name="signed"),
        ),
        migrations.AddField(
            model_name="inboundmessage",
            name="length",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="length in bytes"),
        ),
        migrations.AddField(
            model_name="inboundmessage",
            name="sha256",
            field=models.CharField(blank=True, default="", max_length=64, verbose_name="SHA-256"),
            preserve_default=False,
        ),
        migrations.RemoveIndex(model_name="inboundmessage", name="inbound_rate"),
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.RunPython(fill_words, migrations.RunPython.noop),
        migrations.RunPython(fill_signed, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(condition=models.Q(("signed", False)), fields=["id"], name="inbound_unsigned"),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["open", "acknowledged"])),
                fields=("partner", "step", "code", "words"),
                name="one_open_incident_per_cause",
            ),
        ),
    ]
