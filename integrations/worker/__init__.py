"""The worker: django-q2's cluster, its watchdog and its schedules."""
