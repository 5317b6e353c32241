"""The services. With orders/intake, they alone write orders and their rows. Verb first, keyword-only, actor as `by`."""
