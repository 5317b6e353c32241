"""The IBS order desk."""

__version__ = "1.12.0"
"""The version of the desk, stated only here. Commands, pages, logs, the OpenAPI schema and the bundle read it."""
