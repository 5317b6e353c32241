"""Django's backend for SQLite, with deadlines."""
