"""How an order comes in: `facts` reads, `planning` plans, `write` writes; `receive` answers, or `duplicates`."""
