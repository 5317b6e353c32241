"""The formats of dates and times. They are short and in an order that sorts."""
