"""Codes of the incidents that this system opens itself, and how they end (contract 3.9, 14)."""

BREAKER_OPEN = "breaker_open"
PARTNER_PAUSED = "partner_paused"
PARTNERS_OWN = frozenset({BREAKER_OPEN, PARTNER_PAUSED})
"""Incidents about a partner. They make no order stuck, and do not end when an order proceeds."""
COMPENSATED = "compensated"  # by staff; an order compensated after a failure has that failure's incident
SAID_BY_STAFF = frozenset({PARTNER_PAUSED, COMPENSATED})
"""Incidents whose detail is a reason entered by staff; only staff can read it."""
LATE_UNDO = "late_undo"
BILLED_NOT_ACTIVE = "billed_not_active"
PROCESS_DIFFERS = "process_differs"
DEPENDENCY_GONE = "change_built_upon"
ENTERED_DIFFERS = "entered_differs"
DIFFERENCE = "difference"
MOVE_FAILED = "move_failed"
# Only a comparison with the partner's records, or `accept`, ends these (contract 3.9, 14).
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
"""Incidents that stay open after their step has ended."""
ORDER = "order"  # the `partner` of incidents about an order as a whole
