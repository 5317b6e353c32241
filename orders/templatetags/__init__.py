"""What the order's page needs in its templates."""
