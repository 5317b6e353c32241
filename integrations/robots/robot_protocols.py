"""The protocols of robots. ROBOT_KINDS has a class for each kind, which builds requests and checks responses.

A robot's address is a secret, so no log, page or error contains it.
"""

import base64
import datetime
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from integrations.robots.alert_texts import RobotMessage

LONGEST_TEXT = 2000  # bytes; WeCom takes 2,048


@dataclass(frozen=True)
class Robot:
    """An entry of ALERT_WEBHOOKS. `name` consists of the kind and the position in the list. It is for display."""

    kind: str
    url: str
    secret: str
    name: str

    @property
    def key(self) -> str:
        """Returns the robot's key in the database. The key is a hash, because the database must not contain the
        address."""
        return hashlib.sha256(f"{self.kind}+{self.url}#{self.secret}".encode()).hexdigest()


def text_of(message: RobotMessage) -> str:
    return message.text.encode()[:LONGEST_TEXT].decode(errors="ignore")


def _signed(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Json:
    """A system that receives the facts as JSON. Any HTTP 2xx is a success."""

    supports_signature, max_separate_messages = False, 20  # messages in one run; if there are more, one summary is sent

    @staticmethod
    def request(robot: Robot, message: RobotMessage, at: datetime.datetime) -> tuple[str, dict]:
        return robot.url, message.facts

    @staticmethod
    def is_accepted(answer: dict | None) -> bool:
        return True


class WeCom:
    supports_signature, max_separate_messages = False, 5

    @staticmethod
    def request(robot: Robot, message: RobotMessage, at: datetime.datetime) -> tuple[str, dict]:
        return robot.url, {"msgtype": "text", "text": {"content": text_of(message)}}

    @staticmethod
    def is_accepted(answer: dict | None) -> bool:
        return bool(answer) and answer.get("errcode") == 0


class DingTalk(WeCom):
    """Uses WeCom's body. The address gets a timestamp in milliseconds and its signature as parameters."""

    supports_signature = True

    @staticmethod
    def request(robot: Robot, message: RobotMessage, at: datetime.datetime) -> tuple[str, dict]:
        url, body = WeCom.request(robot, message, at)
        if robot.secret:
            stamp = str(round(at.timestamp() * 1000))
            sign = _signed(robot.secret, f"{stamp}\n{robot.secret}")
            url += ("&" if urlsplit(url).query else "?") + urlencode({"timestamp": stamp, "sign": sign})
        return url, body


class Feishu:
    """The body contains a timestamp in seconds and the signature. The key of the signature consists of timestamp and
    secret."""

    supports_signature, max_separate_messages = True, 5

    @staticmethod
    def request(robot: Robot, message: RobotMessage, at: datetime.datetime) -> tuple[str, dict]:
        body: dict = {"msg_type": "text", "content": {"text": text_of(message)}}
        if robot.secret:
            stamp = str(int(at.timestamp()))
            body = {"timestamp": stamp, "sign": _signed(f"{stamp}\n{robot.secret}", ""), **body}
        return robot.url, body

    @staticmethod
    def is_accepted(answer: dict | None) -> bool:
        return bool(answer) and answer.get("code", answer.get("StatusCode")) == 0


ROBOT_KINDS = {"wecom": WeCom, "feishu": Feishu, "dingtalk": DingTalk, "json": Json}


def read_robots(entries: Iterable[str]) -> list[Robot]:
    """Parses ALERT_WEBHOOKS. Raises ValueError with the position of the invalid entry and no part of its text."""
    found: list[Robot] = []
    for place, entry in enumerate(entries, 1):
        kind, _plus, address = entry.partition("+")
        if kind not in ROBOT_KINDS:
            raise ValueError(f"entry {place} must begin with {', '.join(f'{name}+' for name in ROBOT_KINDS)}")
        url, hash_sign, secret = address.partition("#")
        if hash_sign and not (ROBOT_KINDS[kind].supports_signature and secret):
            raise ValueError(f"entry {place}: only feishu and dingtalk have a secret behind #, which must not be empty")
        if not _is_address(url):
            raise ValueError(f"entry {place} must be {kind}+ and an http or https address without user and spaces")
        robot = Robot(kind, url, secret, f"{kind} {place}")
        if robot.key in {one.key for one in found}:
            raise ValueError(f"entry {place} is there twice")
        found.append(robot)
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fine and url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc


def body_of(facts: dict) -> bytes:
    return json.dumps(facts, ensure_ascii=False).encode()
