"""Code that uses Django's internals: queries compiled once, rows written in batches, and the lists' indexes."""
