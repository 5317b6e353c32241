"""Robots of chat groups, and other systems, that are told of incidents (contract 4, ALERT_WEBHOOKS)."""
