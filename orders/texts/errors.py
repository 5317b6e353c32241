"""The errors of the core: a code and its parameters. The sentences are in `orders/texts/error_messages.py`."""

from orders.texts.error_messages import say, say_in_english


class OrderError(Exception):
    """An operation was refused, and nothing was changed.

    `code` is the reason, and `params` fill its sentence. `str()` is the sentence for commands, logs and BBOSS;
    `words()` is the sentence for pages. Guards return such an error, services raise it, and pages show it.
    """

    def __init__(self, code: str, /, **params: object):
        super().__init__(code)
        self.code, self.params = code, params

    def __str__(self) -> str:
        return say_in_english(self.code, self.params)

    def words(self) -> str:
        return say(self.code, {name: _words_of(value) for name, value in self.params.items()})


def _words_of(value: object) -> object:
    return value.words() if isinstance(value, OrderError) else value


class ContentError(OrderError):
    """The field `field` contradicts the stored content or exceeds a limit (contract 2.4). `why` is the sentence without
    the field.
    """

    def __init__(self, code: str, /, *, field: str, **params: object):
        super().__init__(code, **params)
        self.field = field

    @property
    def why(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


class RepeatCallError(OrderError):
    """This transIDO was accepted before with different content (20002)."""


class OrderConflictError(OrderError):
    """This order number exists with different content (BizCode 3001)."""


class OrderUnknownError(OrderError):
    """No order has this number (BizCode 3004 for a withdrawal, 404 for a callback)."""


class TrialClaimedError(OrderError):
    """The trial can't be withdrawn, because an activation holds it (BizCode 3005)."""


class RecordConflictError(OrderError):
    """This recordId was received before with a different body (409)."""


class NotAllowedError(OrderError):
    """The present state does not allow this action. The code is the reason."""


class WorkbookError(OrderError):
    """An uploaded workbook is refused as a whole. Its cells were not checked."""


class ExportError(OrderError):
    """A list can't be exported: the list, a filter, a value or a column is unknown, or a right is missing."""


def check_reason(reason: str, act: str) -> None:
    """Raises NotAllowedError if the reason for an action (`act`, such as "a withdrawal") is blank."""
    if not reason.strip():
        raise NotAllowedError("no_reason", act=act)
