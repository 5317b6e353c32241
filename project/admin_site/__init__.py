"""The admin site: its pages, its menu, and the admin log."""
