"""What staff may decide about an order."""
