"""All that is known of an order, as one archive (contract 5)."""
