"""What the office works with beside the orders themselves."""
