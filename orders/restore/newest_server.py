"""Selects the newest of several PostgreSQL servers, in case an old primary has come back.

Both primaries accept connections and may accept writes. The old primary lacks later commits, or is on an older
PostgreSQL timeline, since the timeline changes at each promotion. This machine stores the newest timeline in addition
to the high-water mark.
"""

import contextlib

from orders.restore import mark_file
from orders.restore.mark_file import raise_mark, read_mark

WAL_TIMELINE = ".wal-timeline"  # the file's suffix
STATE = """
    SELECT name, restored_at IS NOT NULL, COALESCE((SELECT MAX(id) FROM orders_orderevent), 0),
        ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
    FROM orders_timeline ORDER BY id DESC LIMIT 1
"""


def is_behind(server) -> bool:
    """Returns True if a psycopg connection leads to a server that is older than the marks of this machine.

    Also returns True for a restored database. Raises psycopg.Error. On a standby, which writes no WAL, psycopg.Error is
    raised too.
    """
    row = server.execute(STATE).fetchone()
    server.rollback()
    if row is None:
        return False
    name, restored, newest, timeline = row
    known = read_mark(name, WAL_TIMELINE)
    if restored or newest < read_mark(name) or timeline < known:
        return True
    if timeline > known:  # `status` reports if STATE_DIR can't be written
        with contextlib.suppress(OSError), mark_file.mark_writer.writing:
            raise_mark(name, timeline, WAL_TIMELINE)
    return False
