"""The order's page in the admin: its views and template contexts."""
