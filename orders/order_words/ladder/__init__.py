"""The ladder on the order's page: how far an order has come."""
