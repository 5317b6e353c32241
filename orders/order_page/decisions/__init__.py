"""What staff may decide about an order: one file each, which `registry.py` finds."""
