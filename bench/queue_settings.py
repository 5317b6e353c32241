"""The desk's settings with django-q2 tuned for one task per call: 8 workers, fetched in bulk, no successes kept."""

from project.settings import *  # noqa: F403

Q_CLUSTER = {
    "name": "ibs-order-desk",
    "orm": "default",
    "workers": 8,
    "queue_limit": 100,
    "bulk": 50,
    "poll": 0.05,
    "save_limit": -1,
    "timeout": 60,
    "retry": 120,
}
