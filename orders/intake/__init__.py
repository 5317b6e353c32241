"""Intake of orders: `facts` reads, `planning` plans, `write` saves; `receive` answers, or `duplicates` for known
ones."""
