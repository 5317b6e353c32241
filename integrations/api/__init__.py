"""The read-only API for other systems of the operator: orders and customers' billing."""
