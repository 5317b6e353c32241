"""Exports that a view makes by itself, and who gets them."""
