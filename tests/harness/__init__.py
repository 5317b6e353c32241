"""What tests, drills, walks and benches start: free ports, child processes, a desk, PostgreSQL, PgBouncer, nginx."""
