"""How values look on the wire: Asia/Shanghai times in the partners' two formats, and JSON (contract 1)."""

import datetime
import json
from typing import Any

from orders.local_time import SHANGHAI

WIRE_FORMAT = "%Y%m%d%H%M%S"
BPM_FORMAT = "%Y-%m-%d %H:%M:%S"


def wire_time(moment: datetime.datetime) -> str:
    """An aware time as BBOSS and billing write it: `20230920185436`."""
    return moment.astimezone(SHANGHAI).strftime(WIRE_FORMAT)


def bpm_time(moment: datetime.datetime) -> str:
    """An aware time as BPM writes it: `2023-09-20 18:54:36`."""
    return moment.astimezone(SHANGHAI).strftime(BPM_FORMAT)


def encode(data: dict[str, Any]) -> str:
    """Compact JSON, members in the given order, non-ASCII characters as they are. Encode it as UTF-8."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
