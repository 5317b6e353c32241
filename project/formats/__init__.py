"""The formats of dates and times: short, and in an order that sorts."""
