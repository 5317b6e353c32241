"""Sends alerts of incidents to robots of chat groups and to other systems (contract 4, ALERT_WEBHOOKS)."""
