"""Benchmarks: `make bench` runs them all; `python -m bench.ingest` runs a single one. See README.md in this folder."""
