"""The running version, its successors, and what a migration may do meanwhile."""
