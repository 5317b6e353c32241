"""How dates and times are written: short, and in an order that sorts."""
