"""The database as a whole: its settings, backends with deadlines, backup and restore."""
