"""The outbox: enqueues, releases, claims, records and follows up the steps."""
