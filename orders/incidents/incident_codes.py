"""The codes of the incidents that the desk itself names, and which of them end in which way (contract 3.9, 14)."""

BREAKER_OPEN = "breaker_open"
PARTNER_PAUSED = "partner_paused"
PARTNERS_OWN = frozenset({BREAKER_OPEN, PARTNER_PAUSED})
"""Incidents about a partner. No order counts as stuck because of them, and they do not end when an order goes on."""
COMPENSATED = "compensated"  # by staff; if a failure compensated the order, it has that failure's incident
SAID_BY_STAFF = frozenset({PARTNER_PAUSED, COMPENSATED})
"""Incidents whose detail is a reason that staff gave, which only staff read."""
LATE_UNDO = "late_undo"
BILLED_NOT_ACTIVE = "billed_not_active"
PROCESS_DIFFERS = "process_differs"
DEPENDENCY_GONE = "change_built_upon"
ENTERED_DIFFERS = "entered_differs"
DIFFERENCE = "difference"
MOVE_FAILED = "move_failed"
# Only the books or `accept` end these (contract 3.9, 14).
BOOKS_ONLY = frozenset(
    {
        "unknown_record",
        DIFFERENCE,
        "acted_before",
        BILLED_NOT_ACTIVE,
        PROCESS_DIFFERS,
        LATE_UNDO,
        ENTERED_DIFFERS,
        DEPENDENCY_GONE,
        MOVE_FAILED,
    }
)
NEVER_END_BY_THEMSELVES = (BOOKS_ONLY | PARTNERS_OWN) - {MOVE_FAILED}
"""Incidents that stay open though the step that they are about is over."""
ORDER = "order"  # the `partner` of an incident that is about an order as a whole
