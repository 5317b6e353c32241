"""Staff accounts: roles, log-in, and permission to manage accounts."""
