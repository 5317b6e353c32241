"""The database goes away in every way, under load, on clusters of its own; `python -m tests.drills.run`."""
