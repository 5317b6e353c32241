"""Under load, the database goes away in every way, and a worker's clock is wrong. Run `python -m tests.drills.run`."""
