"""The dashboard. It runs few queries, each with an index. Every number links to its list."""
