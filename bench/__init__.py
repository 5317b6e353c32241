"""Benchmarks: `make bench` runs all, `python -m bench.ingest` runs one. See README.md in this folder."""
