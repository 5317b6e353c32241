"""Tags and filters of the order's page."""
