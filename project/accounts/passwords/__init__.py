"""Passwords: their rules, links that set them, and their greatest age."""
