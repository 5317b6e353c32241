"""Saved views of lists, and the tabs above a list."""
