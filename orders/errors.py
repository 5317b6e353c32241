"""What the core refuses, by name. Each says what is wrong in words that the caller can act on."""


class OrderError(Exception):
    """The core refused; nothing was changed."""


class ContentError(OrderError):
    """A member of the content is bad in the light of what we know (contract 2.4).

    `field` is the member's name, `why` what is wrong with it.
    """

    def __init__(self, field: str, why: str):
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class RepeatCallError(OrderError):
    """This transIDO was accepted before with other content (20002)."""


class OrderConflictError(OrderError):
    """This order number exists with other content (BizCode 3001)."""


class OrderUnknownError(OrderError):
    """No order of this number (BizCode 3004 for a withdrawal, 404 for a callback)."""


class TrialClaimedError(OrderError):
    """The trial can't be withdrawn: an activation holds it (BizCode 3005)."""


class RecordConflictError(OrderError):
    """This recordId was received before with another body (409)."""


class NotAllowedError(OrderError):
    """The present state does not allow this act; the message says which state and why."""


def check_reason(reason: str, act: str) -> None:
    """Raises NotAllowedError where an act ("a withdrawal") was given no reason."""
    if not reason.strip():
        raise NotAllowedError(f"{act} needs a reason")
