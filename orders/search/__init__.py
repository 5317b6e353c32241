"""The search over customers, orders, domains and refused messages, and its index."""
