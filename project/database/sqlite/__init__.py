"""Django's engine for SQLite, with deadlines."""
