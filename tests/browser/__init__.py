"""Tests in a real browser. Only `make test-browser` runs them: they need chromium."""
