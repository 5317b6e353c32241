"""Intake of orders: `facts` reads, `planning` plans and `write` saves. `receive` answers new orders, and `duplicates`
answers known orders."""
