"""Tests in a real browser. They run by `make test-browser` only: they need chromium."""
