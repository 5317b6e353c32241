"""The staff's site: its menu, and what all its lists share."""
