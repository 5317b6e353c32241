"""An order's evidence: all its data as one archive (contract 5)."""
