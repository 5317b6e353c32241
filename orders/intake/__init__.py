"""How an order comes in: `facts` reads, `decide` plans, `write` writes; `receive` answers the sender."""
