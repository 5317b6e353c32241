"""Adds a made-up partner and a made-up act by following the steps of docs/architecture.md."""
