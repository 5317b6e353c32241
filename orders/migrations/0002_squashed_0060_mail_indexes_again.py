"""What 1.10.0 had of the tables beside Django's: the lists' indexes and the triggers that keep the trail's rows.

Then the first rows, which a site may correct in the admin: service types, attributions (contract 3.1) and limits in
time. And the database's name, by which each machine remembers how far it has seen it (contract 5, `restored`).
"""

from django.db import migrations
from django.utils import timezone

from orders.db.indexes import drop_not_used, install, remove
from orders.db.trail_guard import GUARDS

SERVICE_TYPES = [("1", "web", ["0"]), ("2", "download", ["0"]), ("3", "vod", ["0"]), ("4", "liveStream", ["-1"])]
PROVINCES = """
100 BJ 北京, 200 GD 广东, 210 SH 上海, 220 TJ 天津, 230 CQ 重庆, 240 LN 辽宁, 250 JS 江苏, 270 HB 湖北, 280 SC 四川,
290 SN 陕西, 311 HE 河北, 351 SX 山西, 371 HA 河南, 431 JL 吉林, 451 HL 黑龙江, 471 NM 内蒙古, 531 SD 山东, 551 AH 安徽,
571 ZJ 浙江, 591 FJ 福建, 731 HN 湖南, 771 GX 广西, 791 JX 江西, 851 GZ 贵州, 871 YN 云南, 891 XZ 西藏, 898 HI 海南,
931 GS 甘肃, 951 NX 宁夏, 971 QH 青海, 991 XJ 新疆, 998 JT 集团, 997 GJ 国际
"""
LIMITS = [
    ("awaiting_approval", 3, "days"),
    ("held", 1, "days"),
    ("in_progress", 1, "hours"),
    ("conflict", 1, "days"),
]


def load(apps, schema_editor):
    """Adds what is missing and changes nothing that is there."""
    service_type = apps.get_model("orders", "ServiceType")
    for code, cdn_type, plains in SERVICE_TYPES:
        service_type.objects.get_or_create(code=code, defaults={"cdn_type": cdn_type, "plains": plains})
    province = apps.get_model("orders", "Province")
    for entry in PROVINCES.split(","):
        code, letters, name = entry.split()
        province.objects.get_or_create(letters=letters, defaults={"code": code, "name": name})


def begin(apps, schema_editor):
    rows = apps.get_model("orders", "Timeline").objects.using(schema_editor.connection.alias)
    if not rows.exists():
        rows.create(begun_at=timezone.now())


def add_limits(apps, schema_editor):
    rows = apps.get_model("orders", "TimeLimit").objects.using(schema_editor.connection.alias)
    for state, amount, unit in LIMITS:
        rows.get_or_create(state=state, kind="", attribution=None, defaults={"amount": amount, "unit": unit})


class Migration(migrations.Migration):
    replaces = [
        ("orders", "0002_reference_data"),
        ("orders", "0003_list_indexes"),
        ("orders", "0004_drop_repeated_indexes"),
        ("orders", "0008_customers_orders"),
        ("orders", "0013_list_indexes"),
        ("orders", "0015_domain_keys"),
        ("orders", "0017_endings"),
        ("orders", "0018_held_orders_shown"),
        ("orders", "0021_carry_incident_notes"),
        ("orders", "0024_list_indexes_again"),
        ("orders", "0028_events_of_people"),
        ("orders", "0034_changed_services"),
        ("orders", "0036_customers_without_texts"),
        ("orders", "0039_state_since_filled"),
        ("orders", "0041_trail_guard"),
        ("orders", "0042_trail_indexes"),
        ("orders", "0044_mail_indexes"),
        ("orders", "0046_move_index"),
        ("orders", "0048_owner_indexes"),
        ("orders", "0051_limits_from_the_start"),
        ("orders", "0057_trail_guards"),
        ("orders", "0058_event_of_actor"),
        ("orders", "0059_mail_steps_over"),
        ("orders", "0060_mail_indexes_again"),
    ]

    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("notifications", "0001_squashed_0016_drop_notices"),
        ("orders", "0001_squashed_0056_sleep_and_scope"),
    ]

    operations = [
        migrations.RunPython(install, remove),
        migrations.RunPython(drop_not_used, migrations.RunPython.noop),
        *(migrations.RunPython(guard.install, guard.remove) for guard in GUARDS),
        *(migrations.RunPython(step, migrations.RunPython.noop) for step in (load, begin, add_limits)),
    ]
