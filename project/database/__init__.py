"""The database as a whole: its settings, engines with deadlines, backup and restore."""
