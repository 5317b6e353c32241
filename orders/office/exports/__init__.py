"""Exports of lists as files (contract 5)."""
