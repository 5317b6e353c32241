"""The staff's site: menu, lists and what they have in common."""
