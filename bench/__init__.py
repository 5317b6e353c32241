"""Benchmarks: `make bench` runs them; `python -m bench.ingest` runs one. See README.md here."""
