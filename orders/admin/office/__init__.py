"""The pages of `orders/services/office`, customers and the search among them."""
