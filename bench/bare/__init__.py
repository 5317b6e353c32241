"""The reference of `bench.ingest`: a DRF view that checks a form and does four INSERTs in one transaction."""
