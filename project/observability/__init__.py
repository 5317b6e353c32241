"""How the desk is doing: for machines, for logs and for `status`."""
