"""Which version runs, how one follows another, and what a migration may do meanwhile."""
