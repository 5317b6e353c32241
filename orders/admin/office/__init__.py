"""Pages of the office beside the orders' own: customers, and the search over everything."""
