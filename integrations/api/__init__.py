"""What other systems of the operator read: orders, and what a customer is billed. Nothing is written through it."""
