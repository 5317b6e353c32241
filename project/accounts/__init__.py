"""Staff accounts: roles, log-in, and who may keep them."""
