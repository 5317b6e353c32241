"""The read API for other systems of the operator: orders, and the billing of customers. It writes nothing."""
