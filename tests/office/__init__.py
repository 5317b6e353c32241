"""The office's exports and bulk runs."""
