"""Django's backend for PostgreSQL, with deadlines."""
