"""The dashboard: is today all right? It needs few queries, each with an index. Every number links to its list."""
