"""Plays a desk in one process. The services are real, the partners are called without HTTP, and time is simulated."""
