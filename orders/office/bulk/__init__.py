"""An act on many rows of a list (contract 5)."""
