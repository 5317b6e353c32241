"""Staff accounts: roles, log-in, sessions, and the pages that manage accounts."""
