"""The database goes away in every way, and a worker's clock is wrong, under load; `python -m tests.drills.run`."""
