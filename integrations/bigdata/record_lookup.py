"""Looks up the big-data side's records of an order and converts them to the core's types (contract 3.3, look-up)."""

import datetime
import uuid
from collections.abc import Iterable

from integrations.base.other_desk import refuse_other_desk
from integrations.bigdata.billing_record_fields import LIVE
from integrations.bigdata.client import query_product_infos
from integrations.outbound.failure_classification import PartnerError, clean
from integrations.outbound.wire_formats import WIRE_FORMAT
from orders.books.books import BooksSilentError, HeldRecord
from orders.models import BillingRecord
from orders.rules.local_time import SHANGHAI


def fetch_records(job_id: str) -> list[HeldRecord]:
    """Returns the big-data side's records of an order, queried once. Raises BooksSilentError."""
    refuse_other_desk()
    ours = BillingRecord.objects.filter(order__number=job_id).count()
    try:
        rows = query_product_infos(job_id, key=str(uuid.uuid4()), request_id=uuid.uuid4().hex, expected=ours)
    except PartnerError as error:
        raise BooksSilentError(error.message, code=error.code) from error
    return held_records(rows)


def held_records(rows: Iterable[dict]) -> list[HeldRecord]:
    """Returns the rows of a response as records. Every value becomes a text. U+0000, which databases reject, becomes a
    question mark."""
    return [_held({clean_text(name): clean_text(value) for name, value in row.items()}, has_name(row)) for row in rows]


def has_name(row: dict) -> bool:
    """Returns True if the row has a productId and a domain that can be stored unchanged."""
    return all(is_name(row.get(member)) for member in ("productId", "domain"))


def is_name(value: object) -> bool:
    """Returns True if the value is an integer or a text, is not empty, and every database stores it unchanged."""
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value) != "" and is_clean(value)


def is_clean(value: object) -> bool:
    text = "" if value is None else str(value)
    return "\0" not in text if text.isascii() else clean_text(value) == text


def _held(row: dict[str, str], readable: bool) -> HeldRecord:
    return HeldRecord(
        product_id=row.get("productId", ""),
        domain=row.get("domain", ""),
        info_type=row.get("infoType", ""),
        enterprise_id=row.get("enterpriseId", ""),
        live=row.get("cancelStatus") == LIVE,
        create_time=partner_time(row.get("createTime")),
        cancel_time=partner_time(row.get("cancelTime")),
        fields=row,
        readable=readable,
    )


def clean_text(value: object) -> str:
    """Returns a JSON value as a text that every database can store. None becomes an empty text."""
    return clean("" if value is None else str(value))


def partner_time(value: object) -> datetime.datetime | None:
    """Returns the aware datetime of a text `YYYYMMDDHHMMSS` in Asia/Shanghai. None for other values."""
    try:
        return datetime.datetime.strptime(str(value), WIRE_FORMAT).replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
