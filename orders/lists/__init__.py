"""The engine of all lists of the staff's pages."""
