"""What staff may decide about an order. `registry.py` finds the classes of each file."""
