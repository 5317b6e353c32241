"""Django's engine for PostgreSQL, with deadlines."""
