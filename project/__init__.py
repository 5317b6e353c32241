"""The IBS order desk."""

__version__ = "0.9.0"
"""The one place that says which version this is: commands, pages, logs, the OpenAPI schema and the bundle read it."""
