"""Queries over all orders that several readers share. Reads only."""
