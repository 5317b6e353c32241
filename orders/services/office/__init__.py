"""Office work: what staff bring in and take out in bulk, customers, and the search."""
