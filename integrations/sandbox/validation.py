"""Validates a partner's JSON with checks that can be combined. Each error names the invalid member."""

import json
import re
from collections.abc import Callable
from datetime import datetime

Check = Callable[[str, object], None]


class Refusal(Exception):
    """The partner refuses a message. The text is `<member>: <why>`, with the reason in Chinese."""

    def __init__(self, path: str, why: str) -> None:
        member = path.rpartition(".")[2]
        super().__init__(f"{member}: {why}" + (f"（{path}）" if path != member else ""))


def parse_body(body: bytes) -> dict:
    """Returns the JSON object in a request's body. Raises Refusal for other bodies, and for duplicate members and
    NaN."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()  # unpaired surrogates can't be encoded
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Refusal("body", "不是 UTF-8 编码的 JSON") from error
    if not isinstance(value, dict):
        raise Refusal("body", "应为 JSON 对象")
    return value


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise Refusal(next(name for name in names if names.count(name) > 1), "成员重复")
    return found


def _refuse_constant(name: str) -> None:
    raise Refusal("body", f"不接受 {name}")


def string(path: str, value: object) -> None:
    if not isinstance(value, str):
        raise Refusal(path, "应为字符串")


def filled_string(path: str, value: object) -> None:
    string(path, value)
    if not value.strip():
        raise Refusal(path, "不能为空")


def whole_number(path: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(path, "应为整数")


def choice_of(*allowed: str) -> Check:
    def check(path: str, value: object) -> None:
        string(path, value)
        if value not in allowed:
            raise Refusal(path, f"应为 {'、'.join(allowed)} 之一")

    return check


def _time_check(pattern: str, form: str) -> Check:
    def check(path: str, value: object) -> None:
        string(path, value)
        found = re.fullmatch(pattern, value, re.ASCII)
        try:
            datetime(*map(int, found.groups()))
        except (AttributeError, ValueError) as error:
            raise Refusal(path, f"不是 {form} 格式的有效时间") from error

    return check


billing_time = _time_check(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", "YYYYMMDDHHMMSS")
bpm_time = _time_check(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)", "YYYY-MM-DD HH:MM:SS")


def list_of(check_one: Check, *, least: int = 0) -> Check:
    def check(path: str, value: object) -> None:
        if not isinstance(value, list):
            raise Refusal(path, "应为列表")
        if len(value) < least:
            raise Refusal(path, f"至少要有 {least} 项")
        for place, entry in enumerate(value):
            check_one(f"{path}[{place}]", entry)

    return check


def members(shape: dict[str, Check]) -> Check:
    """Returns a check for an object with exactly these members. Each member must pass its check. A name with
    surrounding blanks gets a separate message."""

    def check(path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise Refusal(path, "应为对象")
        dot = f"{path}." if path else ""
        for name in value:
            if name not in shape:
                raise Refusal(f"{dot}{name}", "字段名首尾有空格" if name != name.strip() else "未知字段")
        for name, check_one in shape.items():
            if name not in value:
                raise Refusal(f"{dot}{name}", "缺少")
            check_one(f"{dot}{name}", value[name])

    return check
