"""Since when orders are in their states. Of orders from before the desk noted it, it is not known until a worker has
noted it (orders/services/state_since.py)."""

import datetime

from django.db.models import Q


def is_in_state_since(moment: datetime.datetime) -> Q:
    """Orders that are known to have got their present state at this moment or before."""
    return Q(state_since__lte=moment)
