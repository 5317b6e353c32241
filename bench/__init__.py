"""Benchmarks: `make bench`, or one of them as `python -m bench.ingest`. See README.md here."""
