"""Sentences of the digest's acts."""

from orders.message import Message

MESSAGES: dict[str, Message] = {}
