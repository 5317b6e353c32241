"""Sends mails, which the outbox delivers like steps."""

from integrations.delivery.loop import drain


def send_mails() -> int:
    """Sends all that is due at the clock's time. Returns how many steps and mails were tried."""
    return drain(seconds=None, linger=False).tried
