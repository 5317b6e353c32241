"""The offline bundle: its contents, and that it can be installed and used without a network."""
