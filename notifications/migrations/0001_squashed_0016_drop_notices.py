"""The tables, as version 1.10.0 left them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("notifications", "0001_initial"),
        ("notifications", "0002_notices"),
        ("notifications", "0003_account"),
        ("notifications", "0004_mail_outbox"),
        ("notifications", "0005_mail_once"),
        ("notifications", "0011_mail_rules"),
        ("notifications", "0012_carry_notices"),
        ("notifications", "0013_notice_unused"),
        ("notifications", "0014_mail_of_its_own"),
        ("notifications", "0015_drop_mail_step"),
        ("notifications", "0016_drop_notices"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("orders", "0001_squashed_0056_sleep_and_scope"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=128, verbose_name="name")),
                ("mail", models.EmailField(max_length=254, verbose_name="mail")),
                ("tel", models.CharField(blank=True, max_length=64, verbose_name="phone")),
                (
                    "role",
                    models.CharField(
                        choices=[("sa", "SA"), ("copy", "Gets a copy")], default="sa", max_length=8, verbose_name="role"
                    ),
                ),
                (
                    "attribution",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.province",
                        verbose_name="attribution",
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
                "ordering": ["attribution", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("attribution", "mail"), name="one_contact_per_attribution_and_mail")
                ],
            },
        ),
        migrations.CreateModel(
            name="MailRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "attribution",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.province",
                        verbose_name="attribution",
                    ),
                ),
                ("event", models.CharField(blank=True, max_length=32, verbose_name="event")),
                ("order_kind", models.CharField(blank=True, max_length=16, verbose_name="order kind")),
                ("to_sa", models.BooleanField(default=True, verbose_name="to the SA contacts")),
                ("to_copies", models.BooleanField(default=True, verbose_name="to those who get copies")),
                ("to_default", models.BooleanField(default=False, verbose_name="to the default contact")),
                (
                    "role",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="auth.group",
                        verbose_name="to a role's accounts",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="notifications.contact",
                        verbose_name="to a contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "mail rule",
                "verbose_name_plural": "mail rules",
                "ordering": ["attribution", "event", "order_kind"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("attribution", "event", "order_kind"),
                        name="one_mail_rule_per_scope",
                        violation_error_message="There is a rule for exactly these mails already. Change that one.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("attribution", None)),
                        fields=("event", "order_kind"),
                        name="one_mail_rule_for_all_places",
                        violation_error_message="There is a rule for exactly these mails already. Change that one.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mails",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                (
                    "cause",
                    models.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=64, verbose_name="cause"
                    ),
                ),
                ("addressee", models.CharField(blank=True, db_default="", default="", editable=False, max_length=254)),
                (
                    "about",
                    models.JSONField(
                        blank=True, db_default={}, default=dict, editable=False, verbose_name="what it is about"
                    ),
                ),
                ("message_id", models.CharField(max_length=255, unique=True, verbose_name="Message-ID")),
                ("recipients", models.JSONField(default=list, verbose_name="recipients")),
                ("chosen", models.JSONField(editable=False, null=True)),
                ("subject", models.CharField(blank=True, max_length=255, verbose_name="subject")),
                ("body", models.TextField(blank=True, verbose_name="text")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("written_at", models.DateTimeField(verbose_name="written at")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "Due"),
                            ("sending", "Being sent"),
                            ("retrying", "Retrying"),
                            ("done", "Sent"),
                            ("failed", "Failed"),
                            ("closed", "Closed"),
                        ],
                        db_default="due",
                        default="due",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(db_default=0, default=0, verbose_name="attempts")),
                ("tries_left", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="retries left")),
                ("lost", models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                ("frozen_at", models.DateTimeField(blank=True, null=True, verbose_name="first attempted at")),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="next try")),
                ("lease_token", models.UUIDField(blank=True, editable=False, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                ("fate", models.JSONField(blank=True, db_default={}, default=dict, editable=False)),
                ("definite", models.BooleanField(db_default=False, default=False, verbose_name="definitely answered")),
                (
                    "error_code",
                    models.CharField(blank=True, db_default="", default="", max_length=32, verbose_name="error code"),
                ),
                ("error", models.TextField(blank=True, db_default="", default="", verbose_name="error")),
                ("error_params", models.JSONField(blank=True, db_default={}, default=dict, editable=False)),
            ],
            options={
                "verbose_name": "mail",
                "verbose_name_plural": "mails",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("cause", ""), _negated=True),
                        fields=("order", "kind", "cause", "addressee"),
                        name="mail_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("order", None), models.Q(("cause", ""), _negated=True)),
                        fields=("kind", "cause", "addressee"),
                        name="mail_of_no_order_once",
                    ),
                ],
                "permissions": [("view_notice", "Can view mails to staff")],
            },
        ),
    ]
