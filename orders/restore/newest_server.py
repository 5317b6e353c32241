"""The choice between several PostgreSQL servers, where an old primary came back beside the new one.

Both take connections and may take writes. The old one lacks what was committed since, or is on an older timeline of
PostgreSQL, which begins a new one at each promotion. This machine notes the newest timeline beside the high-water mark.
"""

import contextlib

from orders.restore import high_water_mark
from orders.restore.high_water_mark import raise_mark, read_mark

WAL_TIMELINE = ".wal-timeline"  # the file's suffix
STATE = """
    SELECT name, restored_at IS NOT NULL, COALESCE((SELECT MAX(id) FROM orders_orderevent), 0),
        ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
    FROM orders_timeline ORDER BY id DESC LIMIT 1
"""


def is_behind(server) -> bool:
    """Returns True if a new connection of psycopg leads to a server that lacks what this machine has seen of its
    database.

    A database that was restored is behind too. Raises psycopg.Error, as a standby does: it writes no WAL.
    """
    row = server.execute(STATE).fetchone()
    server.rollback()
    if row is None:
        return False
    name, restored, newest, timeline = row
    known = read_mark(name, WAL_TIMELINE)
    if restored or newest < read_mark(name) or timeline < known:
        return True
    if timeline > known:  # where STATE_DIR can't be written, `status` says so
        with contextlib.suppress(OSError), high_water_mark.mark_writer.writing:
            raise_mark(name, timeline, WAL_TIMELINE)
    return False
