"""What an order is told in: what counts about it (`Facts`), the ladder, history and differences in sentences."""
