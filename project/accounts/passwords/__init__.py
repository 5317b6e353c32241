"""Passwords: what one must be, how it is set by a link, and when it is too old."""
