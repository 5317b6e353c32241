"""The calls of an order on one channel, with responses: dispatches, attempts, curl commands and payload lines."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models.functions import Left, Length
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.masks import head
from orders.models import Attempt, Dispatch, Order
from orders.order_words.glossary import WORDS
from orders.rules.steps import STEPS, Effect, call_name
from orders.texts import untrusted_text
from orders.texts.untrusted_text import pretty

MAX_CALLS = 20
MAX_ROWS = 200
MAX_CHARACTERS = 40_000


@dataclass(frozen=True)
class PayloadLine:
    """A line with one key of a payload. `value` is empty if lines for nested keys follow. `depth`: the indentation."""

    depth: int
    key: str
    word: str | Promise
    value: str


def explain(text: str) -> list[PayloadLine]:
    """Returns the lines of a JSON object or list. Returns [] if the text is not JSON, for example because the text was
    cut."""
    try:
        value = untrusted_text.load(text)
    except ValueError:
        return []
    return _lines(value, 0)[:MAX_ROWS] if isinstance(value, dict | list) else []


def _lines(value: dict | list, depth: int) -> list[PayloadLine]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    return [line for key, inner in pairs for line in _line(str(key), inner, depth)]


def _line(key: str, value, depth: int) -> list[PayloadLine]:
    word = WORDS.get(key, "")
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(row, dict | list) for row in value)):
        return [PayloadLine(depth, key, word, ""), *_lines(value, depth + 1)]
    if isinstance(value, list):
        return [PayloadLine(depth, key, word, ", ".join(str(row) for row in value))]
    return [PayloadLine(depth, key, word, str(value))]


@dataclass(frozen=True)
class ShownDispatch:
    """A dispatch with its payload as the reader may see it. `curl` is empty if the payload is cut or missing, or the
    call has no URL."""

    row: Dispatch
    lines: list[PayloadLine]
    json: str
    curl: str
    cut: bool

    @property
    def receipt(self) -> bool:
        """Returns True if the dispatch proves that the big-data side deleted records."""
        return STEPS[self.row.step].effect == Effect.DELETE and self.row.state == Dispatch.State.DONE


def calls_of(order: Order, channel: str, *, mask: Callable[[str], str]) -> list[ShownDispatch]:
    """Returns the MAX_CALLS newest dispatches of a channel, newest first, with long payloads cut. `mask` hides data
    that the reader may not see."""
    rows = order.dispatches.filter(channel=channel).order_by("-pk").defer("payload")
    rows = rows.annotate(head=Left("payload", MAX_CHARACTERS), length=Length("payload"))[:MAX_CALLS]
    return [_call(row, mask) for row in rows]


def _call(row: Dispatch, mask: Callable[[str], str]) -> ShownDispatch:
    text = mask(row.head)
    cut = row.length > MAX_CHARACTERS or head(row.head)[1] > 0
    return ShownDispatch(row, explain(text), pretty(text), "" if cut or not text else curl(row, text), cut)


def curl(row: Dispatch, payload: str) -> str:
    """Returns a curl command for the call. The base URL and secrets are shell variables that the reader sets."""
    name = call_name(row.step, posted=row.posted)
    if not name:
        return ""
    partner = getattr(settings.PARTNERS, name.partition(".")[0])
    path = getattr(partner, name.partition(".")[2]).path
    if not path:
        return "# " + _("The profile of partners has no call %(call)s.") % {"call": name}
    address = path if "://" in path else f"${STEPS[row.step].partner.upper()}_BASE_URL{path}"
    return curl_line(address, headers_with(partner.key_header, str(row.key), partner.headers), payload)


def headers_with(key_header: str, key: str, more: Mapping[str, str]) -> dict[str, str]:
    """Returns the relevant headers of a call, including those of the partner profile."""
    usual = {"Content-Type": "application/json; charset=utf-8"}
    return usual | ({key_header: key} if key_header else {}) | dict(more)


def curl_line(address: str, headers: Mapping[str, str], payload: str) -> str:
    """Returns a curl command for a POST. `${NAME}` in it is a shell variable of the reader."""
    told = [f'-H "{name}: {value}"' for name, value in headers.items()]
    return " \\\n  ".join([f'curl -X POST "{address}"', *told, f"--data-raw {shlex.quote(payload)}"])


def attempts_of(order: Order, channel: str):
    rows = Attempt.objects.filter(dispatch__order=order, dispatch__channel=channel)
    return rows.select_related("dispatch").defer("dispatch__payload").order_by("-pk")


def show_answers(rows: list[Attempt], *, mask: Callable[[str], str]) -> list[Attempt]:
    """Sets `shown` and `problem` on each attempt: the response and the error as this reader may see them."""
    for row in rows:
        row.shown, row.problem = pretty(mask(row.answer)), mask(row.error)
    return rows
