"""Errors that end the demo early."""


class DemoError(Exception):
    """Something did not work. The text says what, in one line or with the end of a log."""


class Stopped(Exception):
    """Somebody asked the demo to end."""
