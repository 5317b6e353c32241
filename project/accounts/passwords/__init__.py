"""Passwords: validation, links that set them, and maximum age."""
