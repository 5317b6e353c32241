"""Loads the service types and attributions of contract 3.1, which a site may correct in the admin, and gives the
database a name, by which each machine remembers how far it has seen it (contract 5, `restored`)."""

from django.db import migrations
from django.utils import timezone

SERVICE_TYPES = [("1", "web", ["0"]), ("2", "download", ["0"]), ("3", "vod", ["0"]), ("4", "liveStream", ["-1"])]
PROVINCES = """
100 BJ 北京, 200 GD 广东, 210 SH 上海, 220 TJ 天津, 230 CQ 重庆, 240 LN 辽宁, 250 JS 江苏, 270 HB 湖北, 280 SC 四川,
290 SN 陕西, 311 HE 河北, 351 SX 山西, 371 HA 河南, 431 JL 吉林, 451 HL 黑龙江, 471 NM 内蒙古, 531 SD 山东, 551 AH 安徽,
571 ZJ 浙江, 591 FJ 福建, 731 HN 湖南, 771 GX 广西, 791 JX 江西, 851 GZ 贵州, 871 YN 云南, 891 XZ 西藏, 898 HI 海南,
931 GS 甘肃, 951 NX 宁夏, 971 QH 青海, 991 XJ 新疆, 998 JT 集团, 997 GJ 国际
"""


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


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.RunPython(step, migrations.RunPython.noop) for step in (load, begin)]
