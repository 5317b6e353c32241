"""Staff, and what the big-data side answers them."""

from tests.admin.conftest import books, boss, member  # noqa: F401
