"""The reference of `bench.ingest`: a DRF view that validates a form and does four INSERTs in one transaction."""
