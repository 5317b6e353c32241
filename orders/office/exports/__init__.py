"""Lists as files (contract 5)."""
