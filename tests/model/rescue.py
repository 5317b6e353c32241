"""Staff who mend a desk with the commands alone (contract 3.9, 13): nothing may be left that they can't end."""

CREWS = ["resend first", "give up first", "withdraw first"]


def rescue(desk, crew: str) -> None:
    """Nothing yet."""
