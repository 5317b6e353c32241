"""The pages of `orders/services/office`."""
