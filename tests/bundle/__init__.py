"""The offline bundle: what is in it, and that it installs and works with the network cut off."""
