"""What ends the demo early."""


class DemoError(Exception):
    """Something did not work; the text says what, in one line or with the end of a log."""


class Stopped(Exception):
    """Somebody asked the demo to end."""
