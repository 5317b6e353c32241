"""The desk's state for machines, for logs and for `status`."""
