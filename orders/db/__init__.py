"""Code that depends on Django's internals: compiled queries, batch writes, and the indexes of the lists."""
