"""The worker: django-q2's cluster, the watchdog over it, and its schedules."""
