"""The tables, as version 1.10.0 left them. 0002 has what Django can't say of them, and their first rows."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
import django.utils.timezone
import orders.models.asked
import orders.models.timeline
import orders.models.trail
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("orders", "0001_initial"),
        ("orders", "0005_entered_trials"),
        ("orders", "0006_exports"),
        ("orders", "0007_customers"),
        ("orders", "0009_saved_views"),
        ("orders", "0010_scheduled_exports"),
        ("orders", "0011_state_since"),
        ("orders", "0012_bulk_runs"),
        ("orders", "0014_whole_comparisons"),
        ("orders", "0016_shapes"),
        ("orders", "0019_accounts"),
        ("orders", "0020_incident_notes"),
        ("orders", "0022_quiet_troubles"),
        ("orders", "0023_incident_note_unused"),
        ("orders", "0025_customer_notes"),
        ("orders", "0026_trial_uploads_put_right"),
        ("orders", "0027_upload_right"),
        ("orders", "0029_bulk_drafts"),
        ("orders", "0030_traces"),
        ("orders", "0031_drop_incident_note"),
        ("orders", "0032_bulk_token_unused"),
        ("orders", "0033_changed_service"),
        ("orders", "0035_customer_texts"),
        ("orders", "0037_attempt_codes"),
        ("orders", "0038_drop_bulk_token"),
        ("orders", "0040_trail"),
        ("orders", "0043_trail_sending"),
        ("orders", "0045_move_start"),
        ("orders", "0047_owners"),
        ("orders", "0049_calendar"),
        ("orders", "0050_time_limits"),
        ("orders", "0052_asked_acts"),
        ("orders", "0055_push_right"),
        ("orders", "0056_sleep_and_scope"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchPiece",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "kind",
                        "piece",
                        "before",
                        "target",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Number"),
                            (2, "Customer"),
                            (3, "Domain"),
                            (4, "Product"),
                            (5, "Process"),
                            (6, "Phone"),
                        ]
                    ),
                ),
                ("piece", models.BinaryField(max_length=1024)),
                ("before", models.CharField(max_length=4)),
                ("target", models.BigIntegerField()),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="SearchProgress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("orders", models.BigIntegerField()),
                ("older", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "partner",
                    models.CharField(
                        help_text="bigdata, bpm, mail, files, order or desk", max_length=16, verbose_name="partner"
                    ),
                ),
                ("step", models.CharField(blank=True, max_length=32, verbose_name="step")),
                ("code", models.CharField(max_length=32, verbose_name="error code")),
                ("words", models.CharField(blank=True, max_length=120, verbose_name="partner's words")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("resolved", "Resolved"),
                            ("ignored", "Ignored"),
                        ],
                        default="open",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("detail", models.TextField(blank=True, verbose_name="last detail")),
                ("detail_params", models.JSONField(blank=True, db_default={}, default=dict, editable=False)),
                ("first_at", models.DateTimeField(verbose_name="first at")),
                ("last_at", models.DateTimeField(verbose_name="last at")),
                ("count", models.PositiveIntegerField(default=1, verbose_name="count")),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                ("owner_since", models.DateTimeField(blank=True, null=True, verbose_name="owner since")),
                (
                    "asleep_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="till then no mail is written about it",
                        null=True,
                        verbose_name="sleeps until",
                    ),
                ),
                ("woke_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "incident",
                "verbose_name_plural": "incidents",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["open", "acknowledged"])),
                        fields=("partner", "step", "code", "words"),
                        name="one_open_incident_per_cause",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "acknowledged", "resolved", "ignored"])),
                        name="incident_state_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("by", models.CharField(blank=True, max_length=160, verbose_name="written by")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("text", models.TextField(verbose_name="note")),
                ("scope", models.JSONField(blank=True, null=True, verbose_name="attributions")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="orders.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "note on an incident",
                "verbose_name_plural": "notes on incidents",
                "ordering": ["pk"],
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="CustomerNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("by", models.CharField(blank=True, max_length=160, verbose_name="written by")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("text", models.TextField(verbose_name="note")),
                ("scope", models.JSONField(blank=True, null=True, verbose_name="attributions")),
                ("enterprise_id", models.CharField(max_length=64, verbose_name="enterprise id")),
            ],
            options={
                "verbose_name": "note on a customer",
                "verbose_name_plural": "notes on customers",
                "ordering": ["pk"],
                "abstract": False,
                "default_permissions": [],
                "indexes": [models.Index(fields=["enterprise_id"], name="customernote_customer")],
            },
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "partner",
                    models.CharField(
                        choices=[("bigdata", "Big data"), ("bpm", "BPM"), ("mail", "Mail")],
                        max_length=16,
                        verbose_name="partner",
                    ),
                ),
                ("reason", models.TextField(verbose_name="reason")),
                ("paused_by", models.CharField(max_length=160, verbose_name="paused by")),
                ("since", models.DateTimeField(verbose_name="since")),
                ("until", models.DateTimeField(blank=True, null=True, verbose_name="until")),
                ("reminded_at", models.DateTimeField(blank=True, null=True, verbose_name="last reminder")),
                ("resumed_at", models.DateTimeField(blank=True, null=True, verbose_name="went on at")),
                ("resumed_by", models.CharField(blank=True, max_length=160, verbose_name="resumed by")),
            ],
            options={
                "verbose_name": "pause",
                "verbose_name_plural": "pauses",
                "ordering": ["-pk"],
                "permissions": [("pause_partner", "Can pause and resume a partner")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("resumed_at__isnull", True)),
                        fields=("partner",),
                        name="one_open_pause_per_partner",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("partner__in", ["bigdata", "bpm", "mail"])), name="pause_partner_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                ("by", models.CharField(max_length=160, verbose_name="by")),
                (
                    "whole",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="not only some orders, or those since a day",
                        verbose_name="all orders",
                    ),
                ),
                ("orders", models.PositiveIntegerField(default=0, verbose_name="orders compared")),
                ("records", models.PositiveIntegerField(default=0, verbose_name="records compared")),
                ("differences", models.PositiveIntegerField(default=0, verbose_name="differences")),
                ("fixed", models.PositiveIntegerField(default=0, verbose_name="fixed")),
                ("error", models.TextField(blank=True, verbose_name="error")),
            ],
            options={
                "verbose_name": "reconciliation",
                "verbose_name_plural": "reconciliations",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ServiceType",
            fields=[
                ("code", models.CharField(max_length=8, primary_key=True, serialize=False, verbose_name="code")),
                ("cdn_type", models.CharField(max_length=32, verbose_name="CDN type at BPM")),
                (
                    "plains",
                    models.JSONField(
                        default=list, help_text='a list of strings, such as ["0"]', verbose_name="plains at BPM"
                    ),
                ),
            ],
            options={
                "verbose_name": "service type",
                "verbose_name_plural": "service types",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="Province",
            fields=[
                ("letters", models.CharField(max_length=4, primary_key=True, serialize=False, verbose_name="letters")),
                (
                    "code",
                    models.CharField(help_text="billing's province", max_length=8, unique=True, verbose_name="code"),
                ),
                ("name", models.CharField(max_length=32, verbose_name="name")),
            ],
            options={
                "verbose_name": "attribution",
                "verbose_name_plural": "attributions",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=64, unique=True, verbose_name="order number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("trial", "Trial order"), ("change", "Trial change"), ("activation", "Activation")],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("in_progress", "In progress"),
                            ("held", "Held"),
                            ("trialing", "On trial"),
                            ("converted", "Converted"),
                            ("ended", "Ended"),
                            ("applied", "Applied"),
                            ("awaiting_approval", "Awaiting approval"),
                            ("scheduled", "Scheduled"),
                            ("active", "Active"),
                            ("rejected", "Rejected"),
                            ("failed", "Failed"),
                            ("compensating", "Compensating"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="in_progress",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "state_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="empty: since before the desk noted it",
                        null=True,
                        verbose_name="in this state since",
                    ),
                ),
                (
                    "held_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not held"),
                            ("trial_unknown", "its trial has not arrived yet"),
                            ("trial_closed", "its trial is withdrawn or ended"),
                            ("claim_held", "an activation holds the trial"),
                            ("trial_busy", "an activation of the trial is being undone"),
                            ("trial_held", "its trial is itself held"),
                            ("attribution_unknown", "attribution unknown"),
                            ("domains_missing", "domains missing"),
                            ("files", "info-security files are not right"),
                        ],
                        default="",
                        max_length=24,
                        verbose_name="held because",
                    ),
                ),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[("", "none yet"), ("pass", "passed"), ("reject", "rejected")],
                        default="",
                        max_length=8,
                        verbose_name="decision",
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided at")),
                ("undo_since", models.DateTimeField(blank=True, null=True, verbose_name="undo mark since")),
                (
                    "undo_to",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("in_progress", "In progress"),
                            ("held", "Held"),
                            ("trialing", "On trial"),
                            ("converted", "Converted"),
                            ("ended", "Ended"),
                            ("applied", "Applied"),
                            ("awaiting_approval", "Awaiting approval"),
                            ("scheduled", "Scheduled"),
                            ("active", "Active"),
                            ("rejected", "Rejected"),
                            ("failed", "Failed"),
                            ("compensating", "Compensating"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="",
                        editable=False,
                        max_length=20,
                        verbose_name="state after undoing",
                    ),
                ),
                (
                    "withdrawal_idh",
                    models.CharField(blank=True, max_length=32, verbose_name="transaction number of the withdrawal"),
                ),
                (
                    "trial",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="followers",
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                (
                    "trial_number",
                    models.CharField(blank=True, db_index=True, max_length=64, verbose_name="trial number"),
                ),
                ("first", models.BooleanField(blank=True, null=True, verbose_name="first activation")),
                (
                    "attribution",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="orders.province",
                        verbose_name="attribution",
                    ),
                ),
                (
                    "service_type",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="orders.servicetype",
                        verbose_name="service",
                    ),
                ),
                (
                    "changed_service",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.servicetype",
                        verbose_name="service by changes",
                    ),
                ),
                ("enterprise_id", models.CharField(blank=True, max_length=64, verbose_name="enterprise id")),
                ("enterprise_name", models.CharField(blank=True, max_length=255, verbose_name="enterprise name")),
                ("cp_id", models.CharField(blank=True, max_length=64, verbose_name="CP id")),
                ("user_id", models.CharField(blank=True, max_length=64, verbose_name="user id")),
                ("oper_user", models.CharField(blank=True, max_length=128, verbose_name="operator's name")),
                ("oper_tel", models.CharField(blank=True, max_length=64, verbose_name="operator's phone")),
                ("oper_mail", models.CharField(blank=True, max_length=255, verbose_name="operator's mail")),
                ("prod_type", models.CharField(blank=True, max_length=32, verbose_name="product type")),
                ("product_id", models.CharField(blank=True, max_length=64, verbose_name="product id")),
                ("billing_method", models.CharField(blank=True, max_length=32, verbose_name="billing method")),
                ("data_flow", models.CharField(blank=True, max_length=64, verbose_name="data flow")),
                ("info_security", models.CharField(blank=True, max_length=255, verbose_name="info-security file")),
                (
                    "info_security_table",
                    models.CharField(blank=True, max_length=255, verbose_name="info-security table"),
                ),
                ("busi_info", models.CharField(blank=True, max_length=255, verbose_name="business information file")),
                ("biz_start", models.DateField(blank=True, null=True, verbose_name="start day")),
                ("biz_end", models.DateField(blank=True, null=True, verbose_name="end day of the message")),
                (
                    "start_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="empty: starts as soon as it is carried out",
                        null=True,
                        verbose_name="later start",
                    ),
                ),
                ("bpm_process", models.CharField(blank=True, max_length=128, verbose_name="BPM process")),
                ("content", models.JSONField(verbose_name="content as received")),
                ("content_hash", models.CharField(max_length=64, verbose_name="content hash")),
                ("trans_idh", models.CharField(max_length=32, verbose_name="our transaction number")),
                (
                    "trace",
                    models.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=32, verbose_name="trace"
                    ),
                ),
                ("received_at", models.DateTimeField(verbose_name="received at")),
                ("planned_at", models.DateTimeField(blank=True, null=True, verbose_name="planned at")),
                ("plans", models.PositiveSmallIntegerField(default=0, verbose_name="times planned")),
                (
                    "change_number",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="its place among what shapes its trial",
                        null=True,
                        verbose_name="change number",
                    ),
                ),
                (
                    "in_effect",
                    models.BooleanField(
                        default=False,
                        help_text="a change that says what its trial looks like",
                        verbose_name="in effect",
                    ),
                ),
                (
                    "given_up",
                    models.JSONField(
                        blank=True,
                        help_text="of a trial or change: what it says nothing about",
                        null=True,
                        verbose_name="given up",
                    ),
                ),
                (
                    "given",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="what its message or staff gave of what its trial has too",
                        verbose_name="given",
                    ),
                ),
                (
                    "proceeded",
                    models.BooleanField(
                        default=False,
                        help_text="staff let it go on although its trial is withdrawn or ended",
                        verbose_name="proceeded",
                    ),
                ),
                (
                    "undo_asked_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="staff choose how it, or an activation of it, is undone",
                        null=True,
                        verbose_name="late undoing asked for at",
                    ),
                ),
                ("live_at", models.DateTimeField(blank=True, null=True, verbose_name="live since")),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                ("owner_since", models.DateTimeField(blank=True, null=True, verbose_name="owner since")),
            ],
            options={
                "verbose_name": "order",
                "verbose_name_plural": "orders",
                "ordering": ["-pk"],
                "permissions": [
                    ("see_personal_data", "Can see phones, mails and names of people"),
                    ("resend_order", "Can resend failed steps"),
                    ("compensate_order", "Can compensate an order"),
                    ("withdraw_order", "Can withdraw an order"),
                    ("upload_file", "Can upload an info-security file"),
                    ("waive_finding", "Can waive an info-security finding"),
                    ("choose_attribution", "Can choose an attribution"),
                    ("run_activation", "Can run a start day by hand"),
                    ("move_start", "Can move a start day"),
                    ("fetch_usage", "Can ask for trial traffic"),
                    ("add_note", "Can add a note"),
                    ("give_up_step", "Can give up a failed billing step"),
                    ("take_books", "Can take the big-data side's books as ours"),
                    ("accept_difference", "Can accept a difference"),
                    ("fix_difference", "Can put a difference right"),
                    ("decide_order", "Can make a later decision of BPM the one that counts"),
                    ("proceed_order", "Can let an order of a closed trial go on"),
                    ("name_domains", "Can name the domains of a held order"),
                    ("own_order", "Can take and hand over what needs somebody"),
                    ("push_approval", "Can push an approval"),
                ],
                "indexes": [
                    models.Index(fields=["state", "-id"], name="order_state"),
                    models.Index(condition=models.Q(("state", "scheduled")), fields=["start_at"], name="order_start"),
                    models.Index(condition=models.Q(("state", "trialing")), fields=["biz_end"], name="order_trial_end"),
                    models.Index(condition=models.Q(("kind", "change")), fields=["biz_end"], name="order_change_end"),
                    models.Index(
                        condition=models.Q(("undo_asked_at__isnull", False)), fields=["trial"], name="order_undo_asked"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("change_number__isnull", False)),
                        fields=("trial", "change_number"),
                        name="one_change_per_number",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "in_progress",
                                    "held",
                                    "trialing",
                                    "converted",
                                    "ended",
                                    "applied",
                                    "awaiting_approval",
                                    "scheduled",
                                    "active",
                                    "rejected",
                                    "failed",
                                    "compensating",
                                    "withdrawn",
                                ],
                            )
                        ),
                        name="order_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["trial", "change", "activation"])), name="order_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("decision__in", ["", "pass", "reject"])), name="order_decision_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "held"), models.Q(("held_because", ""), _negated=True)),
                            models.Q(models.Q(("state", "held"), _negated=True), ("held_because", "")),
                            _connector="OR",
                        ),
                        name="order_held_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AskedAct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("act", models.CharField(choices=orders.models.asked.acts, max_length=32, verbose_name="act")),
                ("decision", models.CharField(blank=True, editable=False, max_length=32)),
                ("right", models.CharField(editable=False, max_length=100)),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="asked_acts",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("target", models.BigIntegerField(editable=False)),
                ("arguments", models.JSONField(blank=True, default=dict, verbose_name="details")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("told", models.JSONField(blank=True, default=list, editable=False)),
                ("by", models.CharField(max_length=160, verbose_name="asked by")),
                ("asker_id", models.BigIntegerField(editable=False)),
                ("via", models.CharField(blank=True, max_length=200, verbose_name="from where")),
                ("asked_at", models.DateTimeField(verbose_name="asked at")),
                ("lapses_at", models.DateTimeField(verbose_name="lapses at")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "To be confirmed"),
                            ("confirmed", "Confirmed and carried out"),
                            ("called_off", "Called off"),
                            ("lapsed", "Lapsed"),
                        ],
                        default="asked",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("ended_by", models.CharField(blank=True, max_length=160, verbose_name="second person")),
                ("ender_id", models.BigIntegerField(editable=False, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
            ],
            options={
                "verbose_name": "act for a second person",
                "verbose_name_plural": "acts for a second person",
                "ordering": ["-pk"],
                "permissions": [("confirm_act", "Can confirm a colleague's act as the second person")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "asked")), fields=["lapses_at"], name="asked_open"),
                    models.Index(fields=["order", "state"], name="asked_of_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "asked")), fields=("act", "target"), name="one_open_ask"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            models.Q(
                                ("ender_id__isnull", False), models.Q(("ender_id", models.F("asker_id")), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="confirmed_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("state", "asked")),
                            models.Q(models.Q(("state", "asked"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="ask_ended_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TrialUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "trial",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usages",
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                ("product_id", models.CharField(max_length=64, verbose_name="productId")),
                ("enterprise_id", models.CharField(max_length=64, verbose_name="enterprise id")),
                ("data_flow", models.FloatField(verbose_name="traffic")),
                ("asked_at", models.DateTimeField(verbose_name="asked at")),
            ],
            options={
                "verbose_name": "trial traffic",
                "verbose_name_plural": "trial traffic",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "enterprise_id",
                    models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="enterprise id"),
                ),
                ("name", models.CharField(blank=True, max_length=255, verbose_name="enterprise name")),
                (
                    "attributions",
                    models.ManyToManyField(related_name="+", to="orders.province", verbose_name="attributions"),
                ),
                (
                    "last_order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.order",
                        verbose_name="newest order",
                    ),
                ),
                ("first_seen", models.DateTimeField(verbose_name="first order")),
                ("last_seen", models.DateTimeField(verbose_name="last order")),
                ("texts", models.TextField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "customer",
                "verbose_name_plural": "customers",
                "ordering": ["-last_order_id"],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="IndexedOrder",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="indexed",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="orders.customer",
                    ),
                ),
            ],
            options={
                "default_permissions": [],
                "indexes": [models.Index(fields=["customer", "order"], name="indexed_order_customer")],
            },
        ),
        migrations.CreateModel(
            name="Dispatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dispatches",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("check_files", "Check info-security files"),
                            ("fetch_usage", "Fetch trial traffic"),
                            ("create_trial_billing", "Create trial records"),
                            ("cancel_trial_billing", "Cancel trial records"),
                            ("extend_trial_billing", "Post trial records with their new end"),
                            ("create_billing", "Create commercial records"),
                            ("move_start_billing", "Move the start of commercial records"),
                            ("cancel_billing", "Cancel commercial records"),
                            ("start_bpm", "Start the BPM process"),
                            ("delete_billing", "Delete commercial records"),
                            ("verify_deleted", "Verify that the records are gone"),
                            ("restore_trial_billing", "Restore trial records"),
                            ("ask_billing", "Ask what the big-data side holds"),
                            ("mail_sent_to_bpm", "Mail: sent to BPM"),
                            ("mail_billed", "Mail: billing went out"),
                            ("mail_rejected", "Mail: rejected"),
                            ("mail_held", "Mail: held"),
                            ("mail_incident", "Mail: incident"),
                            ("mail_incident_over", "Mail: incident over"),
                            ("mail_reconciled", "Mail: reconciliation"),
                            ("fix_create_billing", "Reconciliation: send records again"),
                            ("fix_delete_billing", "Reconciliation: delete records"),
                        ],
                        max_length=32,
                        verbose_name="step",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("files", "Info-security files"),
                            ("usage", "Trial traffic"),
                            ("billing", "Billing"),
                            ("bpm", "BPM"),
                            ("mail", "Mail"),
                        ],
                        max_length=8,
                        verbose_name="channel",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(verbose_name="position")),
                ("blocking", models.BooleanField(default=True, verbose_name="holds up later steps")),
                (
                    "undo",
                    models.BooleanField(
                        default=False, help_text="a step of compensation or withdrawal", verbose_name="undoes"
                    ),
                ),
                (
                    "gate",
                    models.CharField(
                        blank=True,
                        choices=[("", "none"), ("approval", "BPM's approval"), ("start", "the start day")],
                        default="",
                        max_length=8,
                        verbose_name="waits for",
                    ),
                ),
                ("not_before", models.DateTimeField(blank=True, null=True, verbose_name="not before")),
                (
                    "lane",
                    models.BigIntegerField(
                        blank=True,
                        help_text="the trial whose records it touches; one at a time per trial",
                        null=True,
                        verbose_name="line",
                    ),
                ),
                (
                    "place",
                    models.BigIntegerField(
                        blank=True,
                        help_text="of the dispatch that it replaces; else its own id",
                        null=True,
                        verbose_name="place in the line",
                    ),
                ),
                ("records", models.JSONField(blank=True, default=list, verbose_name="billing records")),
                ("about", models.JSONField(blank=True, default=dict, verbose_name="what it is about")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("due", "Due"),
                            ("sending", "Sending"),
                            ("retrying", "Retrying"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("closed", "Closed"),
                            ("undone", "Undone"),
                            ("given_up", "Given up"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "plan",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="which plan of its order it belongs to; each opening makes a new one",
                        verbose_name="plan",
                    ),
                ),
                (
                    "repeat",
                    models.BooleanField(
                        default=False,
                        help_text="repeats what was accepted; nothing depends on its outcome",
                        verbose_name="repeat",
                    ),
                ),
                ("size", models.PositiveIntegerField(default=0, verbose_name="records or domains")),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, verbose_name="idempotency key")),
                ("payload", models.TextField(blank=True, verbose_name="payload")),
                ("frozen_at", models.DateTimeField(blank=True, null=True, verbose_name="T, first attempted at")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                (
                    "may_have_acted",
                    models.BooleanField(
                        default=False,
                        help_text="the partner has carried out an attempt of it, or may have",
                        verbose_name="may have acted",
                    ),
                ),
                (
                    "unanswered_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="when a call of it last ended without an answer",
                        null=True,
                        verbose_name="unanswered at",
                    ),
                ),
                (
                    "lost",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="their worker died; after one it is claimed alone",
                        verbose_name="attempts lost in a row",
                    ),
                ),
                ("tries_left", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="retries left")),
                ("next_try_at", models.DateTimeField(blank=True, null=True, verbose_name="next try")),
                ("lease_token", models.UUIDField(blank=True, editable=False, null=True)),
                ("error_code", models.CharField(blank=True, max_length=32, verbose_name="error code")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("error_params", models.JSONField(blank=True, db_default={}, default=dict, editable=False)),
                ("definite", models.BooleanField(default=False, verbose_name="definitely answered")),
                ("superseded", models.BooleanField(default=False, verbose_name="replaced by a newer one")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="done at")),
            ],
            options={
                "verbose_name": "dispatch",
                "verbose_name_plural": "dispatches",
                "ordering": ["pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["due", "retrying", "sending"])),
                        fields=["next_try_at"],
                        name="dispatch_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["not_before"], name="dispatch_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("lane__isnull", False)), fields=["lane", "id"], name="dispatch_lane"
                    ),
                    models.Index(fields=["order", "position"], name="dispatch_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("repeat", False)), fields=("key",), name="one_dispatch_per_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "waiting",
                                    "due",
                                    "sending",
                                    "retrying",
                                    "done",
                                    "failed",
                                    "closed",
                                    "undone",
                                    "given_up",
                                ],
                            )
                        ),
                        name="dispatch_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["due", "retrying", "sending"]), _negated=True),
                            ("next_try_at__isnull", False),
                            _connector="OR",
                        ),
                        name="dispatch_open_has_next_try",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("attempts", 0), ("frozen_at__isnull", False), _connector="OR"),
                        name="dispatch_attempted_is_frozen",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_records",
                        to="orders.order",
                        verbose_name="order (jobId)",
                    ),
                ),
                (
                    "info_type",
                    models.CharField(
                        choices=[("1", "Trial record"), ("2", "Commercial record")],
                        max_length=1,
                        verbose_name="infoType",
                    ),
                ),
                ("product_id", models.CharField(max_length=64, verbose_name="productId")),
                ("business_type", models.CharField(max_length=8, verbose_name="businessType")),
                ("domain", models.CharField(max_length=255, verbose_name="domain")),
                ("domain_key", models.CharField(db_index=True, max_length=255, verbose_name="domain in lower case")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("to_send", "To send"),
                            ("live", "Live"),
                            ("cancelled", "Cancelled"),
                            ("deleted", "Deleted"),
                            ("unknown", "Unknown"),
                        ],
                        default="to_send",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("create_time", models.DateTimeField(blank=True, null=True, verbose_name="createTime")),
                ("cancel_time", models.DateTimeField(blank=True, null=True, verbose_name="cancelTime while live")),
                ("cancelled_at", models.DateTimeField(blank=True, null=True, verbose_name="cancelled at")),
                (
                    "accepted",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="{field: value there}",
                        verbose_name="accepted as the partner has it",
                    ),
                ),
                (
                    "dispatch",
                    models.ForeignKey(
                        blank=True,
                        help_text="the dispatch whose answer gave the present state",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.dispatch",
                        verbose_name="made so by",
                    ),
                ),
            ],
            options={
                "verbose_name": "billing record",
                "verbose_name_plural": "billing records",
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "product_id", "domain_key"), name="one_record_per_order_product_domain"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["to_send", "live", "cancelled", "deleted", "unknown"])),
                        name="billing_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("info_type__in", ["1", "2"])), name="billing_type_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "dispatch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tries",
                        to="orders.dispatch",
                        verbose_name="dispatch",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("request_id", models.UUIDField(default=uuid.uuid4, editable=False, verbose_name="request id")),
                (
                    "trace",
                    models.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=32, verbose_name="trace"
                    ),
                ),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "no answer yet"),
                            ("ok", "accepted"),
                            ("retry", "failed for now"),
                            ("refused", "refused for good"),
                            ("acted_before", "acted before, with other bytes"),
                            ("held", "not right yet"),
                            ("lost", "the worker died"),
                            ("handed_back", "not begun, handed back"),
                            ("late", "came too late to count"),
                        ],
                        default="",
                        max_length=12,
                        verbose_name="outcome",
                    ),
                ),
                ("http_status", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="HTTP status")),
                ("answer", models.TextField(blank=True, verbose_name="answer")),
                (
                    "error_code",
                    models.CharField(blank=True, editable=False, max_length=32, null=True, verbose_name="error code"),
                ),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("worker", models.CharField(blank=True, max_length=64, verbose_name="worker")),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                ("actor", models.CharField(max_length=160, verbose_name="actor")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                ("data", models.JSONField(blank=True, default=dict, verbose_name="details")),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="InboundMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("received_at", models.DateTimeField(verbose_name="received at")),
                ("remote_address", models.CharField(blank=True, max_length=64, verbose_name="sender's address")),
                (
                    "trans_ido",
                    models.CharField(
                        blank=True, db_index=True, max_length=64, verbose_name="caller's transaction number"
                    ),
                ),
                ("trans_idh", models.CharField(max_length=32, verbose_name="our transaction number")),
                (
                    "order_number",
                    models.CharField(blank=True, db_index=True, max_length=64, verbose_name="order number"),
                ),
                ("http_status", models.PositiveSmallIntegerField(verbose_name="HTTP status")),
                ("rsp_code", models.CharField(max_length=8, verbose_name="answer code")),
                ("rsp_desc", models.TextField(verbose_name="answer")),
                ("biz_code", models.CharField(blank=True, max_length=8, verbose_name="business code")),
                ("hint", models.TextField(blank=True, verbose_name="what was wrong")),
                ("body", models.TextField(verbose_name="message")),
                ("signed", models.BooleanField(default=True, verbose_name="signed")),
                ("length", models.PositiveIntegerField(blank=True, null=True, verbose_name="length in bytes")),
                ("sha256", models.CharField(blank=True, max_length=64, verbose_name="SHA-256")),
                (
                    "seen",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="the event that says who has seen to this conflict, when and why",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.orderevent",
                        verbose_name="seen",
                    ),
                ),
            ],
            options={
                "verbose_name": "inbound message",
                "verbose_name_plural": "inbound messages",
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(condition=models.Q(("signed", False)), fields=["id"], name="inbound_unsigned"),
                    models.Index(
                        condition=models.Q(("biz_code", "3001"), ("rsp_code", "30000"), ("seen", None)),
                        fields=["order_number"],
                        name="conflict_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AcceptedCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trans_ido", models.CharField(max_length=64, unique=True, verbose_name="caller's transaction number")),
                ("content_hash", models.CharField(max_length=64, verbose_name="content hash")),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="calls",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
            ],
            options={
                "verbose_name": "accepted call",
                "verbose_name_plural": "accepted calls",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="OrderDomain",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("name", models.CharField(max_length=255, verbose_name="domain")),
                ("key", models.CharField(db_index=True, max_length=255, verbose_name="domain in lower case")),
            ],
            options={
                "verbose_name": "domain",
                "verbose_name_plural": "domains",
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=("order", "key"), name="one_domain_per_order")],
            },
        ),
        migrations.CreateModel(
            name="TrialShape",
            fields=[
                (
                    "trial",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="shape",
                        serialize=False,
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                ("domains", models.JSONField(default=list, help_text="names as sent", verbose_name="domains")),
                ("service", models.CharField(blank=True, max_length=8, verbose_name="service")),
                ("ends_on", models.DateField(blank=True, db_index=True, null=True, verbose_name="end day")),
                ("closed", models.BooleanField(default=False, help_text="an ending stands", verbose_name="closed")),
            ],
            options={
                "verbose_name": "shape of a trial",
                "verbose_name_plural": "shapes of trials",
            },
        ),
        migrations.CreateModel(
            name="TrialEnd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "trial",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ends",
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("ending", "Ending"), ("taken", "End taken from the big-data side")],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "ends_on",
                    models.DateField(
                        blank=True, help_text="of a taken one; empty: no end", null=True, verbose_name="end day"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                ("by", models.CharField(max_length=160, verbose_name="by")),
            ],
            options={
                "verbose_name": "end of a trial",
                "verbose_name_plural": "ends of trials",
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=("trial", "number"), name="one_end_per_number")],
            },
        ),
        migrations.CreateModel(
            name="TrialClaim",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "trial",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claims",
                        to="orders.order",
                        verbose_name="trial",
                    ),
                ),
                (
                    "activation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="held_claims",
                        to="orders.order",
                        verbose_name="activation",
                    ),
                ),
                ("taken_at", models.DateTimeField(verbose_name="taken at")),
                (
                    "trial_was",
                    models.CharField(
                        choices=[
                            ("in_progress", "In progress"),
                            ("held", "Held"),
                            ("trialing", "On trial"),
                            ("converted", "Converted"),
                            ("ended", "Ended"),
                            ("applied", "Applied"),
                            ("awaiting_approval", "Awaiting approval"),
                            ("scheduled", "Scheduled"),
                            ("active", "Active"),
                            ("rejected", "Rejected"),
                            ("failed", "Failed"),
                            ("compensating", "Compensating"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="trialing",
                        max_length=20,
                        verbose_name="trial's state before",
                    ),
                ),
                ("released_at", models.DateTimeField(blank=True, null=True, verbose_name="released at")),
            ],
            options={
                "verbose_name": "claim",
                "verbose_name_plural": "claims",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("released_at__isnull", True)), fields=("trial",), name="one_claim_per_trial"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AffectedOrder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="affected",
                        to="orders.incident",
                        verbose_name="incident",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="troubles",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("detail", models.TextField(blank=True, verbose_name="detail")),
                ("detail_params", models.JSONField(blank=True, db_default={}, default=dict, editable=False)),
                ("since", models.DateTimeField(verbose_name="since")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed at")),
                (
                    "beside",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="a trial, because an order of it is stopped on its records",
                        verbose_name="named beside another",
                    ),
                ),
                ("quiet", models.BooleanField(db_default=False, default=False, editable=False)),
                ("accepted_by", models.CharField(blank=True, max_length=160, verbose_name="accepted by")),
                ("reason", models.TextField(blank=True, verbose_name="reason of accepting")),
            ],
            options={
                "verbose_name": "affected order",
                "verbose_name_plural": "affected orders",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("incident", "order"),
                        name="one_open_trouble_per_incident_and_order",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingDispatch",
            fields=[],
            options={
                "verbose_name": "billing dispatch",
                "verbose_name_plural": "billing dispatches",
                "proxy": True,
                "default_permissions": ["view"],
            },
            bases=("orders.dispatch",),
        ),
        migrations.CreateModel(
            name="BpmDispatch",
            fields=[],
            options={
                "verbose_name": "BPM dispatch",
                "verbose_name_plural": "BPM dispatches",
                "proxy": True,
                "default_permissions": ["view"],
            },
            bases=("orders.dispatch",),
        ),
        migrations.CreateModel(
            name="Conflict",
            fields=[],
            options={
                "verbose_name": "conflict",
                "verbose_name_plural": "conflicts",
                "proxy": True,
                "default_permissions": ["view"],
            },
            bases=("orders.inboundmessage",),
        ),
        migrations.CreateModel(
            name="OrderFiles",
            fields=[],
            options={
                "verbose_name": "attachment",
                "verbose_name_plural": "attachments",
                "proxy": True,
                "default_permissions": ["view"],
            },
            bases=("orders.order",),
        ),
        migrations.CreateModel(
            name="Difference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reconciliation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="found",
                        to="orders.reconciliation",
                        verbose_name="reconciliation",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("not_billed", "Live order, not billed"),
                            ("not_ours", "Billed, no live order"),
                            ("fields", "Fields differ"),
                            ("unknown_order", "Number that we do not know"),
                            ("not_listed", "Missing in BBOSS's list"),
                            ("not_meant", "Not as the orders say"),
                            ("unreadable", "Record that can't be read"),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("over", "Over"), ("accepted", "Accepted by staff")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed at")),
                ("closed_by", models.CharField(blank=True, max_length=160, verbose_name="closed by")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "order",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="differences",
                        to="orders.order",
                        verbose_name="order",
                    ),
                ),
                ("job_id", models.CharField(max_length=64, verbose_name="jobId")),
                ("product_id", models.CharField(max_length=64, verbose_name="productId")),
                ("domain", models.CharField(max_length=255, verbose_name="domain")),
                ("detail", models.JSONField(default=dict, verbose_name="details")),
                (
                    "fix",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.dispatch",
                        verbose_name="fixed by",
                    ),
                ),
                (
                    "found_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        help_text="when a comparison found it first; kept when it is found anew",
                        verbose_name="found at",
                    ),
                ),
                (
                    "checked_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="when the books were compared after it was put right",
                        null=True,
                        verbose_name="checked again at",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                ("owner_since", models.DateTimeField(blank=True, null=True, verbose_name="owner since")),
            ],
            options={
                "verbose_name": "difference",
                "verbose_name_plural": "differences",
                "ordering": ["pk"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "open")), fields=["job_id"], name="difference_open"),
                    models.Index(
                        condition=models.Q(("checked_at", None), ("fix__isnull", False), ("state", "over")),
                        fields=["job_id"],
                        name="difference_unchecked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CalendarDay",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False, verbose_name="date")),
                ("worked", models.BooleanField(default=False, verbose_name="is a working day")),
                ("name", models.CharField(blank=True, max_length=64, verbose_name="occasion")),
            ],
            options={
                "verbose_name": "day of the calendar",
                "verbose_name_plural": "working-day calendar",
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="TimeLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("awaiting_approval", "Awaiting approval"),
                            ("held", "Held"),
                            ("in_progress", "In progress"),
                            ("conflict", "Conflict not seen to"),
                        ],
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[("trial", "Trial order"), ("change", "Trial change"), ("activation", "Activation")],
                        default="",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
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
                (
                    "amount",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(
                                1, "A limit is at least 1. To have none, delete it."
                            ),
                            django.core.validators.MaxValueValidator(999),
                        ],
                        verbose_name="time limit",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[("days", "working days"), ("hours", "working hours")],
                        default="days",
                        max_length=8,
                        verbose_name="unit",
                    ),
                ),
            ],
            options={
                "verbose_name": "time limit",
                "verbose_name_plural": "time limits",
                "ordering": ["state", "attribution", "kind"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("attribution", None)),
                        fields=("state", "kind"),
                        name="one_general_limit",
                        violation_error_message="There is a limit for this state and kind already. Change that one.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("attribution__isnull", False)),
                        fields=("state", "kind", "attribution"),
                        name="one_limit_per_attribution",
                        violation_error_message="There is a limit for this state, kind and attribution already. Change that one.",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 1)), name="limit_above_zero"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Timeline",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        default=orders.models.timeline.new_name, max_length=32, unique=True, verbose_name="name"
                    ),
                ),
                ("begun_at", models.DateTimeField(verbose_name="begun at")),
                ("begun_by", models.CharField(blank=True, max_length=160, verbose_name="begun by")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("last_order", models.BigIntegerField(default=0, verbose_name="last order from before")),
                ("last_attempt", models.BigIntegerField(default=0, verbose_name="last attempt from before")),
                ("last_event", models.BigIntegerField(default=0, verbose_name="last event from before")),
                (
                    "restored_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="since when it counts as restored; nothing is sent",
                        null=True,
                        verbose_name="restored at",
                    ),
                ),
                (
                    "restored",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="machine; newest: the event it has; seen: the event that the machine had seen; backup",
                        verbose_name="how that is known",
                    ),
                ),
            ],
            options={
                "verbose_name": "stretch between restores",
                "verbose_name_plural": "stretches between restores",
                "ordering": ["pk"],
                "permissions": [("release_restored", "Can say that a restored desk may send again")],
            },
        ),
        migrations.CreateModel(
            name="TrailEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, verbose_name="at")),
                ("keep_until", models.DateTimeField(verbose_name="kept until")),
                ("actor", models.CharField(blank=True, max_length=160, verbose_name="actor")),
                ("account_id", models.BigIntegerField(editable=False, null=True)),
                ("code", models.CharField(choices=orders.models.trail.codes, max_length=32, verbose_name="act")),
                ("about", models.CharField(blank=True, max_length=200, verbose_name="about")),
                ("address", models.CharField(blank=True, max_length=200, verbose_name="from where")),
                ("data", models.JSONField(blank=True, default=dict, verbose_name="details")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit",
                "ordering": ["pk"],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(fields=["actor"], name="trail_of_person"),
                    models.Index(fields=["about"], name="trail_about"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TrailSending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entries", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0)),
                ("journal", models.BigIntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="BulkRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("maker_id", models.BigIntegerField(editable=False, null=True)),
                ("leased_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                ("error", models.JSONField(blank=True, default=dict, verbose_name="error")),
                ("by", models.CharField(max_length=160, verbose_name="begun by")),
                ("created_at", models.DateTimeField(verbose_name="begun at")),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("resend", "Resend what failed"),
                            ("attribute", "Choose the attribution"),
                            ("note", "Write a note"),
                            ("conflicts", "Conflicts seen to"),
                            ("incidents", "Take incidents up"),
                            ("own_orders", "Hand over"),
                            ("own_incidents", "Hand over"),
                            ("own_differences", "Hand over"),
                        ],
                        max_length=16,
                        verbose_name="act",
                    ),
                ),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                ("words", models.JSONField(blank=True, default=list, verbose_name="filter in words")),
                ("details", models.JSONField(blank=True, default=dict, verbose_name="details")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("collecting", "Draft"),
                            ("waiting", "Waiting for a worker"),
                            ("running", "Under way"),
                            ("stopped", "Stopped"),
                            ("done", "Finished"),
                        ],
                        default="collecting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("upto", models.BigIntegerField(editable=False, null=True)),
                ("total", models.PositiveIntegerField(default=0, verbose_name="rows in all")),
                ("done", models.PositiveIntegerField(default=0, verbose_name="carried out")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="not carried out")),
                ("at_once", models.BooleanField(default=False, editable=False)),
                ("turn", models.PositiveIntegerField(default=0, editable=False)),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("worked_at", models.DateTimeField(editable=False)),
                ("items_kept", models.BooleanField(default=True, verbose_name="rows are kept")),
            ],
            options={
                "verbose_name": "bulk run",
                "verbose_name_plural": "bulk runs",
                "ordering": ["-pk"],
                "permissions": [("stop_bulkrun", "Can stop a colleague's bulk run")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["collecting", "waiting", "running"])),
                        fields=["worked_at"],
                        name="bulk_run_open",
                    ),
                    models.Index(
                        condition=models.Q(("items_kept", True)), fields=["finished_at"], name="bulk_run_kept"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("at_once", False), ("state", "running")),
                        fields=("state",),
                        name="one_bulk_run_is_carried_out_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="orders.bulkrun",
                        verbose_name="bulk run",
                    ),
                ),
                ("target", models.BigIntegerField(verbose_name="row")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Still to do"), ("done", "Carried out"), ("failed", "Not carried out")],
                        default="waiting",
                        max_length=8,
                        verbose_name="outcome",
                    ),
                ),
                ("why", models.JSONField(blank=True, default=dict, verbose_name="reason")),
            ],
            options={
                "verbose_name": "row of a bulk run",
                "verbose_name_plural": "rows of bulk runs",
                "ordering": ["-run_id", "-target"],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["run", "target"], name="bulk_item_waits"
                    ),
                    models.Index(
                        condition=models.Q(("state", "failed")), fields=["run", "target"], name="bulk_item_failed"
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("run", "target"), name="one_item_per_run_and_row")],
            },
        ),
        migrations.CreateModel(
            name="Digest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("day", models.DateField()),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": [],
                "constraints": [models.UniqueConstraint(fields=("account", "day"), name="one_digest_a_day")],
            },
        ),
        migrations.CreateModel(
            name="RedWatch",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("told_until", models.DateTimeField()),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="auth.group",
                        verbose_name="shared with",
                    ),
                ),
                ("list_name", models.CharField(max_length=32, verbose_name="list")),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                ("columns", models.JSONField(blank=True, default=list, verbose_name="columns")),
                ("created_at", models.DateTimeField(verbose_name="saved at")),
            ],
            options={
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
                "ordering": ["pk"],
                "permissions": [("share_view", "Can share saved views with a role")],
                "default_permissions": ["view"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "list_name", "name"), name="one_view_per_owner_list_and_name"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduledExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orders.savedview",
                        verbose_name="saved view",
                    ),
                ),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("weekdays", models.CharField(max_length=7, verbose_name="weekdays")),
                ("at", models.TimeField(verbose_name="time of day")),
                (
                    "format",
                    models.CharField(
                        choices=[("xlsx", "Excel (xlsx)"), ("csv", "Text (csv)")],
                        max_length=8,
                        verbose_name="file format",
                    ),
                ),
                (
                    "recipients",
                    models.ManyToManyField(
                        blank=True, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="recipients"
                    ),
                ),
                ("personal", models.BooleanField(default=False, verbose_name="with personal data")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                ("next_run_at", models.DateTimeField(blank=True, db_index=True, null=True, verbose_name="next run")),
                ("last_run_at", models.DateTimeField(blank=True, null=True, verbose_name="last run")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures in a row")),
                ("off_at", models.DateTimeField(blank=True, null=True, verbose_name="switched off at")),
                ("off_why", models.JSONField(blank=True, default=dict, verbose_name="why it was switched off")),
            ],
            options={
                "verbose_name": "scheduled export",
                "verbose_name_plural": "scheduled exports",
                "ordering": ["-pk"],
                "default_permissions": ["view"],
                "permissions": [("stop_scheduledexport", "Can switch off a colleague's scheduled export")],
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="one_scheduled_export_per_owner_and_name"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("next_run_at__isnull", False), ("off_at__isnull", True)),
                            models.Q(("next_run_at__isnull", True), ("off_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="scheduled_export_on_or_off",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("weekdays", ""), _negated=True), name="scheduled_export_has_weekdays"
                    ),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.Exact(
                            django.db.models.functions.text.Replace(
                                django.db.models.functions.text.Replace(
                                    django.db.models.functions.text.Replace(
                                        django.db.models.functions.text.Replace(
                                            django.db.models.functions.text.Replace(
                                                django.db.models.functions.text.Replace(
                                                    django.db.models.functions.text.Replace(
                                                        models.F("weekdays"), models.Value("1"), models.Value("")
                                                    ),
                                                    models.Value("2"),
                                                    models.Value(""),
                                                ),
                                                models.Value("3"),
                                                models.Value(""),
                                            ),
                                            models.Value("4"),
                                            models.Value(""),
                                        ),
                                        models.Value("5"),
                                        models.Value(""),
                                    ),
                                    models.Value("6"),
                                    models.Value(""),
                                ),
                                models.Value("7"),
                                models.Value(""),
                            ),
                            models.Value(""),
                        ),
                        name="scheduled_export_weekdays_are_1_to_7",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("personal", False), models.Q(("reason", ""), _negated=True), _connector="OR"
                        ),
                        name="scheduled_export_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("maker_id", models.BigIntegerField(editable=False, null=True)),
                ("leased_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                ("error", models.JSONField(blank=True, default=dict, verbose_name="error")),
                ("by", models.CharField(max_length=160, verbose_name="exported by")),
                ("created_at", models.DateTimeField(verbose_name="exported at")),
                ("list_name", models.CharField(max_length=32, verbose_name="list")),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                ("columns", models.JSONField(default=list, verbose_name="columns")),
                (
                    "format",
                    models.CharField(
                        choices=[("xlsx", "Excel (xlsx)"), ("csv", "Text (csv)")],
                        max_length=8,
                        verbose_name="file format",
                    ),
                ),
                ("personal", models.BooleanField(default=False, verbose_name="with personal data")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("judged_by", models.CharField(blank=True, max_length=160, verbose_name="second person")),
                ("judge_id", models.BigIntegerField(editable=False, null=True)),
                ("judged_at", models.DateTimeField(blank=True, null=True, verbose_name="judged at")),
                ("scope", models.JSONField(blank=True, null=True, verbose_name="attributions")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Waits for a second person"),
                            ("waiting", "Waiting for a worker"),
                            ("running", "Being written"),
                            ("done", "Ready"),
                            ("failed", "Not made"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("total", models.PositiveIntegerField(blank=True, null=True, verbose_name="rows in all")),
                ("written", models.PositiveIntegerField(default=0, verbose_name="rows written")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="times begun")),
                ("file", models.CharField(blank=True, max_length=80, verbose_name="file")),
                ("size", models.PositiveBigIntegerField(blank=True, null=True, verbose_name="size in bytes")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="kept until")),
                ("downloads", models.PositiveIntegerField(default=0, verbose_name="downloads")),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="exports",
                        to="orders.scheduledexport",
                        verbose_name="scheduled export",
                    ),
                ),
                ("slot", models.DateTimeField(blank=True, null=True, verbose_name="due at")),
                ("missed", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="missed")),
            ],
            options={
                "verbose_name": "export",
                "verbose_name_plural": "exports",
                "ordering": ["-pk"],
                "permissions": [
                    ("export_list", "Can export lists"),
                    ("judge_export", "Can agree to a colleague's export of personal data"),
                ],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(fields=["by", "-id"], name="export_by"),
                    models.Index(
                        condition=models.Q(("file", ""), _negated=True), fields=["expires_at"], name="export_kept"
                    ),
                    models.Index(fields=["maker_id", "-id"], name="export_maker"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "running")),
                        fields=("state",),
                        name="one_export_is_written_at_a_time",
                    ),
                    models.UniqueConstraint(fields=("schedule", "slot"), name="one_export_per_schedule_and_slot"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TrialUpload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                ("made_at", models.DateTimeField(db_index=True, verbose_name="made at")),
                ("file_name", models.CharField(max_length=255, verbose_name="file name")),
                ("data", models.BinaryField(verbose_name="file")),
                (
                    "corrections",
                    models.JSONField(
                        blank=True,
                        help_text="{cell: text} that its maker put right in the page",
                        null=True,
                        verbose_name="corrections",
                    ),
                ),
                ("trials", models.PositiveIntegerField(verbose_name="trials")),
                ("report", models.JSONField(verbose_name="report")),
                ("imported_at", models.DateTimeField(blank=True, null=True, verbose_name="imported at")),
            ],
            options={
                "verbose_name": "upload of trials",
                "verbose_name_plural": "uploads of trials",
                "ordering": ["-pk"],
                "permissions": [("enter_trial", "Can enter trials by hand")],
                "default_permissions": ["view"],
            },
        ),
    ]
