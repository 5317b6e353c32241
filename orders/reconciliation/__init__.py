"""Reconciliation of our records with the big-data side's: differences, their correction, and staff's decisions."""
