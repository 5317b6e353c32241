"""The database as a whole: its settings from DATABASE_URL, and engines that keep the deadlines."""
