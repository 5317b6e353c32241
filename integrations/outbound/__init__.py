"""Calls to partners over HTTP."""
