"""What an export reads of each row: no message or body that none of its columns shows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.lists.registration import exported_lists
from orders.office.exports.lists import ExportedList
from tests import factories as make
from tests.admin.rows import of_order

pytestmark = pytest.mark.django_db
LARGE = {"content", "body", "hint", "answer", "payload"}


def large_reads(name, user, columns=None):
    """The large columns that the export's queries name, once for each query."""
    for _ in range(3):
        of_order(make.OrderFactory(attribution_id="BJ"))
    found = ExportedList(name, "", user)
    table = found.table(columns or [*found.columns], personal=True, by="staff:x")
    with CaptureQueriesContext(connection) as captured:
        assert len(list(table.rows)) >= 2
    return sorted(large for large in LARGE for query in captured if f'"{large}"' in query["sql"])


@pytest.mark.parametrize("name", exported_lists())
def test_large_columns_are_read_only_where_a_column_shows_them(name, admin_user):
    """A column that reads one without naming it would do so in a query for each row."""
    assert large_reads(name, admin_user) == (["body"] if name == "mails" else [])


def test_one_that_is_not_chosen_is_not_read(admin_user):
    assert large_reads("mails", admin_user, ["subject_cut", "recipients"]) == []
