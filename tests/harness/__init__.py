"""Starts what tests, drills, walks and benchmarks need: ports, processes, a desk, PostgreSQL, PgBouncer and nginx."""
