"""Staff accounts: roles, log-in, and who may manage accounts."""
