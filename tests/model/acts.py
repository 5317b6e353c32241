"""The acts of a simulated desk. Each act is logged, takes a second, and may be killed between two writes."""

import functools
import inspect
import re
from dataclasses import dataclass, field

from integrations.bboss.reply_codes import Refused
from notifications.masks import HIDDEN
from orders.texts.errors import OrderError

WRITES = ("INSERT", "UPDATE", "DELETE")
FOR_EVER = re.compile(r'"(orders_orderevent|approvals_approvalrecord|orders_inboundmessage)"')
ERASING = re.compile(r'UPDATE "orders_inboundmessage" SET ("(body|hint|rsp_desc)" = %s(, )?)+ WHERE')


class Died(BaseException):  # noqa: N818  this is no error, and no `except Exception` may catch it
    """The process that carries out the act was killed."""


class WrongError(AssertionError):
    """The desk broke a rule of the model. `kind` names the rule. The other arguments describe where it was broken."""

    def __init__(self, kind: str, *lines: object):
        super().__init__(f"{kind}: " + "; ".join(map(str, lines)))
        self.kind = kind


def act(method):
    """Turns a method of the desk into an act, which is one line of a test that the model prints.

    The act returns the desk, so that acts can be chained. `answer()` returns the result of the last act.
    """

    usual = {name: one.default for name, one in inspect.signature(method).parameters.items()}

    @functools.wraps(method)
    def acting(self, *args, **more):
        if self.under_way:  # called by another act
            return method(self, *args, **more)
        line = Line(method.__name__, args, {name: more[name] for name in more if more[name] != usual.get(name, ...)})
        self.log.append(line)
        self.under_way = True
        self.clock.shift(1)
        self.note_books()
        try:
            result = method(self, *args, **more)
        except (OrderError, Refused) as refusal:
            result = f"{type(refusal).__name__}: {refusal}"
        except Died:
            result = "died"
        finally:
            self.under_way, self.dies_at = False, 0
        line.result = result if isinstance(result, str) else ""
        if self.complaints.lines:
            raise WrongError("an exception that was only logged", *self.complaints.lines)
        return self

    return acting


@dataclass
class Line:
    """An act with its arguments and its result."""

    name: str
    args: tuple = ()
    more: dict = field(default_factory=dict)
    result: str = ""

    def __str__(self):
        words = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.more.items())]
        return f"desk.{self.name}({', '.join(words)})" + (f"  # {self.result}" if self.result else "")


class Acting:
    """Logs the acts of a desk, and checks every SQL statement."""

    def __init__(self, clock, wire, complaints):
        self.clock, self.wire, self.complaints = clock, wire, complaints
        self.log: list[Line] = []
        self.under_way = False
        self.dies_at = 0

    def note_books(self) -> None:
        """Does nothing.

        Desks that compare states over time override this method to store a copy of the partner's records.
        """

    def answer(self) -> str:
        """Returns the result of the last act: "" for a success, the refusal, or "died" if its process was killed."""
        return self.log[-1].result

    def dies(self, write: int):
        """Kills the process of the next act just before its write number `write`."""
        self.log.append(Line("dies", (write,)))
        self.dies_at = write
        return self

    def statements(self, execute, sql, params, many, context):
        """Executes an SQL statement and counts the writes.

        Raises Died before the write at which the process is killed. Raises WrongError if the statement changes the
        history, unless it erases personal data from a message.
        """
        if sql.startswith(WRITES):
            erases = ERASING.match(sql) and all(HIDDEN in text for text in params[:-1])
            if not sql.startswith("INSERT") and FOR_EVER.search(sql) and not erases:
                raise WrongError("history only grows", sql[:200])
            if self.dies_at:
                self.dies_at -= 1
                if not self.dies_at:
                    raise Died
        return execute(sql, params, many, context)

    def story(self, name: str = "found") -> str:
        """Returns the acts so far as the source of a test."""
        return "\n".join([f"def test_{name}(desk):", *(f"    {line}" for line in self.log)])
