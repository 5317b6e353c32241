"""The staff's site: its menu, and the base of all its lists."""
