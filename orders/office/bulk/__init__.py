"""One action on many rows of a list (contract 5)."""
