"""Calls from partners: bodies, read within a time and strictly."""
