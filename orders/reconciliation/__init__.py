"""Reconciliation of our records with the big-data side's: differences, their correction, and decisions of staff."""
