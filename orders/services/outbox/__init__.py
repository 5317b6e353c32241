"""The outbox: steps are enqueued, released, claimed, sent, recorded and followed up."""
