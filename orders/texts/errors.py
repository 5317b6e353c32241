"""The core's errors: a code and its parameters. `orders/texts/error_messages.py` has each code's sentence."""

from orders.texts.error_messages import say, say_in_english


class OrderError(Exception):
    """The core refused, and nothing was changed.

    `code` says why, and `params` fill its sentence. `str()` is the sentence for commands, logs and BBOSS, `words()` the
    one for pages. Guards return such an error instead of raising it. A service raises it, a page shows it.
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
    """The member `field` does not fit what we have stored, or breaks a limit (contract 2.4); `why` says how."""

    def __init__(self, code: str, /, *, field: str, **params: object):
        super().__init__(code, **params)
        self.field = field

    @property
    def why(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


class RepeatCallError(OrderError):
    """This transIDO was accepted before with other content (20002)."""


class OrderConflictError(OrderError):
    """This order number exists with other content (BizCode 3001)."""


class OrderUnknownError(OrderError):
    """No order has this number (BizCode 3004 for a withdrawal, 404 for a callback)."""


class TrialClaimedError(OrderError):
    """The trial can't be withdrawn, because an activation holds it (BizCode 3005)."""


class RecordConflictError(OrderError):
    """This recordId was received before with another body (409)."""


class NotAllowedError(OrderError):
    """The present state does not allow this action. The code says why."""


class WorkbookError(OrderError):
    """A workbook that was uploaded can't be taken as a whole. Its cells were not looked at."""


class ExportError(OrderError):
    """A list can't be exported like this: an unknown list, filter, value or column, or a right that is missing."""


def check_reason(reason: str, act: str) -> None:
    """Raises NotAllowedError if an action (`act`, such as "a withdrawal") was given no reason."""
    if not reason.strip():
        raise NotAllowedError("no_reason", act=act)
