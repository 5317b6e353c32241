"""The IBS order desk: order management for the CDN business."""

__version__ = "1.18.0"
"""The version of the desk, defined only here. Commands, pages, logs, the OpenAPI schema and the bundle read it."""
