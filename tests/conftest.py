"""Fixtures for the whole suite. Their only network is this machine's loopback."""

import collections
import datetime
import gc
import json
import logging
import os
import pathlib
import shutil
from urllib.parse import urlsplit

import pytest
import time_machine

from integrations.base import old_secrets, orders_not_stored
from orders.attachments import check, preview
from orders.office.trials import workbook
from project.base.logs import JsonFormatter, MaskFilter, OutageFilter
from project.base.settings_table import SANDBOX
from project.call_stack import with_large_frame
from project.observability.readiness import write_try
from tests.fakes import RunningSandbox, reached_directly
from tests.flushing import flush_keeps_migrated_rows, flush_passes_the_guard, migrated_rows_after_a_flush  # noqa: F401
from tests.sampling import sample, without_whole
from tests.template import fresh_database

HERE = pathlib.Path(__file__).parent
# garbage collection looks less often at the objects of imports, which saves a sixth of the time of imports
gc.set_threshold(50_000, 20, 20)
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def shanghai(text: str) -> datetime.datetime:
    """Returns a text such as `2023-09-20 18:54:36` as an aware time in Asia/Shanghai."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    """Makes the test database by copying a migrated one. It replaces pytest-django's fixture, which migrates each
    time.
    """
    with django_db_blocker.unblock(), fresh_database():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_noted_beside_a_test():
    """Keeps the use of an old secret from being noted. A thread with a connection of its own notes it, so no rollback
    would remove the row.

    tests/test_old_secrets.py notes it in the test's own thread.
    """
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(old_secrets, "start_thread", lambda *args: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def a_busy_machine_reads_files():
    """Gives a check of a file two minutes instead of ten seconds. So its result depends on the file's content and not
    on the machine's load.

    Tests of these deadlines set their own.
    """
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(check, "SECONDS_FOR_ALL", 120.0)
        monkey.setattr(preview, "SECONDS", 120.0)
        monkey.setattr(workbook, "SECONDS", 120.0)
        yield


@pytest.fixture(autouse=True)
def each_test_tries_to_store():
    """Forgets that orders could not be stored. Otherwise a process remembers for 5 s whether they can be stored, and a
    machine for 10 minutes that some were not.
    """
    write_try.tried_at = float("-inf")
    shutil.rmtree(orders_not_stored.FOLDER, ignore_errors=True)


@pytest.fixture
def clock():
    """Stops the clock at the time of case 1. `clock.move_to(...)` and `clock.shift(seconds)` move it."""
    with time_machine.travel(shanghai("2023-09-20 18:54:36"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def fresh_gauges(monkeypatch):
    """Makes /metrics read its gauges on each request instead of every 15 s."""
    monkeypatch.setattr("project.observability.gauges.KEPT_FOR", 0.0)


@pytest.fixture
def lines(caplog):
    """Returns a function. `lines()` returns, parsed again, the lines that LOG_FORMAT=json writes of all that was
    logged.
    """
    caplog.set_level(logging.INFO)

    def read() -> list[dict]:
        return [json.loads(line) for line in written_lines]

    written_lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: written_lines.append(handler.format(record))
    handler.setFormatter(JsonFormatter())
    for one in (OutageFilter(), MaskFilter()):
        handler.addFilter(one)
    logging.getLogger().addHandler(handler)
    yield read
    logging.getLogger().removeHandler(handler)
    assert all(len(line.splitlines()) == 1 for line in written_lines)


@pytest.fixture
def case():
    """Returns a function. `case(1)` returns an acceptance case as a dict."""
    return lambda number: json.loads((HERE / "cases" / f"case{number}.json").read_text())


@pytest.fixture
def sandbox(settings):
    """An empty sandbox (simulated partners), to which the settings point. Calls reach it without a connection."""
    with reached_directly() as sandbox:
        point_at(settings, sandbox)
        yield sandbox


@pytest.fixture
def sandbox_over_http(settings):
    """An empty sandbox (simulated partners), to which the settings point. Calls reach it over real HTTP. A module or
    folder whose subject is HTTP names this fixture `sandbox`.
    """
    with RunningSandbox() as sandbox:
        point_at(settings, sandbox)
        yield sandbox


def point_at(settings, sandbox):
    for name, address in SANDBOX.items():
        setattr(settings, name, sandbox.url + urlsplit(address).path)


# These lists name files. They are not marks in the files, so that a file that is left out is not even imported.
#
# Tests that do not depend on the database run only once if both databases are tested: on SQLite (see tests/run.py).
ANY_DATABASE = (
    "api/test_schema",
    *("notifications/test_deadline", "notifications/test_recipients", "notifications/test_sending"),
    "notifications/test_writing",
    *("dialects/", "sandbox/", "partners/", "files/", "orders/", "hostile/test_sockets", "hostile/test_schema"),
    *("deploy/", "first_start/", "adding/", "hostile/test_strangers_gets", "processes/test_demo"),
    *("bboss/test_domains", "bboss/test_signature", "bboss/test_strict_json", "bboss/test_content"),
    *("admin/test_walk", "admin/test_names_with_html", "admin/test_masks", "admin/test_query_counts"),
    *("admin/test_decisions", "admin/test_declared_filters", "admin/test_strangers_texts", "admin/test_words"),
    *("admin/test_page_lines", "admin/test_scope", "admin/test_resend_many", "commands/test_wrong_arguments"),
    *("admin/test_roles", "admin/test_chips", "bboss/test_transport", "test_deployment"),
    # make model runs on both databases; flows/test_cases compares letter by letter too
    *("model/", "processes/test_cases"),
    "admin/test_order_page",  # all files whose names begin so; test_pages opens the page on both databases
    *("database/test_options", "admin/test_latin_pages", "flows/test_operations_page", "company/test_real_provider"),
    *("test_demo", "test_locale", "test_checks", "test_architecture", "test_causes", "test_documents"),
    *("test_named_files", "test_translated_documents"),
    *("test_static_files", "test_insides", "test_contract", "test_faults"),
)
# These tests depend most on the database: its locks, transactions, types and statements. Files in neither this list
# nor the list above run on PostgreSQL only with `make test WHOLE=1`, as in .ci/run, and then as a sample.
DATABASE_FIRST = ("worker/", "database/", "test_prepared", "test_rows", "flows/test_cases", "flows/test_leases")
# These tests have the same result on both databases and take long. If a PostgreSQL answers, they run only there.
ON_POSTGRESQL_ALONE = ("flows/test_odd_texts", "processes/test_pause")
# These tests mostly wait: for a partner, a log server, a second of a rate, or each other. `make test` runs them once,
# on PostgreSQL if one answers, because that run has time while the other run uses the processor.
WAITING = (
    *("races/", "worker/test_trail_syslog", "worker/test_robots", "flows/test_rate", "flows/test_retries"),
    *("partners/", "flows/test_leases", "notifications/test_deadline", "api/test_tokens"),
    "restore/test_high_water_mark",
)
# These tests take longest: many real processes, sequences of acts that the model tests found, Chinese on the pages of
# every state, nonsense in addresses, what a migration carries over. `make test` leaves them out, to end within a few
# minutes. They run with WHOLE=1, or with any arguments.
LONGEST = (
    *("processes/", "adding/", "restore/test_backup", "test_deployment", "sandbox/test_command", "deploy/test_nginx"),
    *("company/test_real_provider", "database/test_frozen", "admin/test_names_with_html"),
    *(
        "hostile/test_mutations",
        "hostile/test_schema",
        "hostile/test_sockets",
        "api/test_schema",
        "flows/test_odd_texts",
    ),
    *("model/", "admin/test_latin_pages", "admin/test_rubbish", "test_static_files"),
)

# These files have few tests, which take long or wait. They begin first, because a process that begins one late would
# work alone after the others have ended.
FEW_BUT_LONG = (
    *("database/test_frozen", "database/test_deadline", "company/test_real_provider"),
    *("flows/test_truth_on_pages", "bboss/test_refused_calls", "races/", "database/test_unusable", "processes/"),
    *("admin/test_log_in", "admin/test_masks", "admin/test_names_with_html", "admin/test_session_ends"),
    *("admin/test_pausing", "admin/test_latin_pages", "admin/test_rubbish", "entering/test_entered_numbers"),
    *("model/", "adding/", "restore/test_backup", "sandbox/test_command", "deploy/test_nginx"),
)


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests that only the whole suite runs, and sorts the files in the order in which processes begin
    them.
    """
    short = is_short(os.environ)
    if short or is_sampled(os.environ):
        rest = list(sample(without_whole(items) if short else items))
        played = {item.nodeid for item in rest}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in played])
        items[:] = rest
    if os.environ.get("DESK_TEST_SHARED") == "1":
        tests = collections.Counter(item.path for item in items)
        items.sort(key=lambda item: (not path_of(item.path).startswith(FEW_BUT_LONG), -tests[item.path]))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Calls each test with a large frame, as project/wsgi.py does for requests. Otherwise mapping the stack takes a
    sixth of a test's time.
    """
    pyfuncitem.obj = with_large_frame(pyfuncitem.obj)
    return (yield)


def pytest_collection_finish():
    gc.freeze()  # because modules, classes and items are kept until the end


def pytest_ignore_collect(collection_path):
    """Leaves out the files that a parallel run executes."""
    path = path_of(collection_path)
    return True if path.endswith(".py") and left_out(path, os.environ) else None


def path_of(file):
    """Returns the path of a file inside tests/, or an empty text for a file elsewhere."""
    return str(file.relative_to(HERE)) if file.is_relative_to(HERE) else ""


def is_short(environment):
    """Returns True for `make test` without WHOLE=1 and without arguments."""
    return environment.get("DESK_TEST_SHARED") == "1" and environment.get("DESK_TEST_WHOLE") != "1"


def is_sampled(environment):
    """Returns True for the run of `make test WHOLE=1` on PostgreSQL."""
    return environment.get("DESK_TEST_SHARED") == "1" and bool(environment.get("DESK_TEST_DATABASE_URL"))


def left_out(path, environment):
    """Returns True if a run that shares the work (see tests/run.py) leaves out this file of tests/."""
    if environment.get("DESK_TEST_SHARED") != "1":
        return False
    short = is_short(environment)
    if short and path.startswith(LONGEST):
        return True
    waits = short and path.startswith(WAITING)
    if environment.get("DESK_TEST_DATABASE_URL"):
        return not waits and (path.startswith(ANY_DATABASE) or (short and not path.startswith(DATABASE_FIRST)))
    return environment.get("DESK_TEST_POSTGRESQL") == "1" and (waits or path.startswith(ON_POSTGRESQL_ALONE))
