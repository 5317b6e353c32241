"""The three acceptance cases (tests/cases), shifted so that their first day is today."""

import datetime
import json
import re
from pathlib import Path

import openpyxl

from orders.local_time import SHANGHAI
from project.demo.environment import ROOT

CASES = ROOT / "tests" / "cases"
FIRST_DAY = datetime.date(2023, 9, 20)
FORMATS = {
    "BizStart": "%Y%m%d",
    "BizEnd": "%Y%m%d",
    "createTime": "%Y%m%d%H%M%S",
    "businessStartTime": "%Y-%m-%d %H:%M:%S",
}
SCHEDULE_NAME = re.compile(r"(BBossOrderJob_.+_)(\d{14})")


def load_cases(today: datetime.date | None = None) -> list[dict]:
    """The cases in order, each with its number, as if their first day were today in Shanghai.

    Order numbers and file names do not change: they are names, not days.
    """
    days = (today or datetime.datetime.now(SHANGHAI).date()) - FIRST_DAY
    texts = [path.read_text(encoding="utf-8") for path in sorted(CASES.glob("case*.json"))]
    return [{"number": number} | shifted(json.loads(text), days) for number, text in enumerate(texts, 1)]


def orders_to_try() -> list[dict]:
    """A trial that a person can post, and two later activations of case 1's trial that wait for BPM's decision."""
    one, two, _ = load_cases()
    trial, activation = one["setup"][0], two["content"]
    files = dict.fromkeys(("InfoSecurity", "InfoSecurityTable", "BusiInfo"), "")
    waiting = [
        activation | files | {"OrderNum": f"100A230920170{n}001", "ProvContent": [{"ProvReq": f"try-{n}.example.com"}]}
        for n in (132, 133)
    ]
    return [trial | {"OrderNum": "100A230920170131001", "ProvContent": [{"ProvReq": "try-131.example.com"}]}, *waiting]


def shifted(value: object, days: datetime.timedelta, name: str = "") -> object:
    """The value with every day that the demo compares shifted. `name` is the member that holds the value."""
    if isinstance(value, dict):
        return {key: shifted(inner, days, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [shifted(inner, days) for inner in value]
    if name in FORMATS:
        return _shifted_time(value, FORMATS[name], days)
    if name == "name" and (found := SCHEDULE_NAME.fullmatch(value)):
        return found[1] + _shifted_time(found[2], "%Y%m%d%H%M%S", days)
    return value


def _shifted_time(text: str, form: str, days: datetime.timedelta) -> str:
    """Shifts a time. Text that is not a time of this form, such as a remark in the case, does not change."""
    try:
        return (datetime.datetime.strptime(text, form) + days).strftime(form)
    except ValueError:
        return text


def make_file(path: Path) -> None:
    """Writes a real xlsx file with a heading and one row of data."""
    book = openpyxl.Workbook()
    book.active.append(["序号", "域名", "备案号"])
    book.active.append([1, "pull.api-easss-3.li.com", "京ICP备00000000号"])
    book.save(path)
