"""Fixtures for the whole suite. They use nothing beyond this machine's loopback."""

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
gc.set_threshold(50_000, 20, 20)  # what the imports leave is looked through less often: a sixth of their time
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def shanghai(text: str) -> datetime.datetime:
    """`2023-09-20 18:54:36` as an aware time in Asia/Shanghai."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    """In place of pytest-django's, which migrates each time."""
    with django_db_blocker.unblock(), fresh_database():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_noted_beside_a_test():
    """The use of an old secret is noted by a thread with a connection of its own: no rollback takes that row back.

    tests/test_old_secrets.py notes it at once.
    """
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(old_secrets, "start_thread", lambda *args: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def a_busy_machine_reads_files():
    """A file's verdict must depend on its content, not on the machine's load: a check that has ten seconds gets two
    minutes.

    Tests of the deadlines set their own.
    """
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(check, "SECONDS_FOR_ALL", 120.0)
        monkey.setattr(preview, "SECONDS", 120.0)
        monkey.setattr(workbook, "SECONDS", 120.0)
        yield


@pytest.fixture(autouse=True)
def each_test_tries_to_store():
    """A process remembers for 5 s whether orders can be stored, and a machine for 10 minutes that some were not."""
    write_try.tried_at = float("-inf")
    shutil.rmtree(orders_not_stored.FOLDER, ignore_errors=True)


@pytest.fixture
def clock():
    """The clock stands still at case 1's moment; `clock.move_to(...)` and `clock.shift(seconds)` move it."""
    with time_machine.travel(shanghai("2023-09-20 18:54:36"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def fresh_gauges(monkeypatch):
    """/metrics reads its gauges each time, not every 15 s."""
    monkeypatch.setattr("project.observability.gauges.KEPT_FOR", 0.0)


@pytest.fixture
def lines(caplog):
    """`lines()`: what a console with LOG_FORMAT=json writes of all that was logged, read again."""
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
    """`case(1)`: an acceptance case as a dict."""
    return lambda number: json.loads((HERE / "cases" / f"case{number}.json").read_text())


@pytest.fixture
def sandbox(settings):
    """The partners' stand-in, empty, with the settings pointing at it; calls reach it without a connection."""
    with reached_directly() as sandbox:
        point_at(settings, sandbox)
        yield sandbox


@pytest.fixture
def sandbox_over_http(settings):
    """The same over real HTTP. If HTTP is the subject, a module or folder names this fixture `sandbox`."""
    with RunningSandbox() as sandbox:
        point_at(settings, sandbox)
        yield sandbox


def point_at(settings, sandbox):
    for name, address in SANDBOX.items():
        setattr(settings, name, sandbox.url + urlsplit(address).path)


# The lists of files stand here, not as marks in the files: a file that is left out is not even imported.
#
# Tests that do not depend on the database run once if both are tested: on SQLite (see tests/run.py).
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
    *("model/", "processes/test_cases"),  # make model plays on both; flows/test_cases is letter by letter too
    "admin/test_order_page",  # all files of that name; test_pages opens the page on both
    *("database/test_options", "admin/test_latin_pages", "flows/test_operations_page", "company/test_real_provider"),
    *("test_demo", "test_locale", "test_checks", "test_architecture", "test_causes", "test_documents"),
    *("test_named_files", "test_translated_documents"),
    *("test_static_files", "test_insides", "test_contract", "test_faults"),
)
# These depend most on the database: its locks, transactions, types and statements. All that is not in the list above
# runs on PostgreSQL with `make test WHOLE=1`, as .ci/run does, by a sample.
DATABASE_FIRST = ("worker/", "database/", "test_prepared", "test_rows", "flows/test_cases", "flows/test_leases")
# These give the same on both and take long: if a PostgreSQL answers, they run only there.
ON_POSTGRESQL_ALONE = ("flows/test_odd_texts", "processes/test_pause")
# These mostly wait: for a partner, a log server, a second of a rate, each other. `make test` plays them once, on
# PostgreSQL if one answers, since that run has time while the others compute.
WAITING = (
    *("races/", "worker/test_trail_syslog", "worker/test_robots", "flows/test_rate", "flows/test_retries"),
    *("partners/", "flows/test_leases", "notifications/test_deadline", "api/test_tokens"),
    "restore/test_high_water_mark",
)
# These take longest: many real processes, plays that the model found, Chinese on the pages of every state, rubbish in
# addresses, what a migration carries over. `make test` leaves them out, to end within a few minutes; with WHOLE=1, or
# with any arguments, they run.
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

# Few tests that take long, or wait. They begin first: a process that meets them last works alone while the others have
# ended.
FEW_BUT_LONG = (
    *("database/test_frozen", "database/test_deadline", "company/test_real_provider"),
    *("flows/test_truth_on_pages", "bboss/test_refused_calls", "races/", "database/test_unusable", "processes/"),
    *("admin/test_log_in", "admin/test_masks", "admin/test_names_with_html", "admin/test_session_ends"),
    *("admin/test_pausing", "admin/test_latin_pages", "admin/test_rubbish", "entering/test_entered_numbers"),
    *("model/", "adding/", "restore/test_backup", "sandbox/test_command", "deploy/test_nginx"),
)


def pytest_collection_modifyitems(config, items):
    """Leaves out what only the whole suite plays, and puts the files in the order in which processes take them."""
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
    """As project/wsgi.py does for requests: a sixth of a test's time is the mapping of its stack otherwise."""
    pyfuncitem.obj = with_large_frame(pyfuncitem.obj)
    return (yield)


def pytest_collection_finish():
    gc.freeze()  # modules, classes and items stay until the end


def pytest_ignore_collect(collection_path):
    """Leaves out what a parallel run plays."""
    path = path_of(collection_path)
    return True if path.endswith(".py") and left_out(path, os.environ) else None


def path_of(file):
    """Where a file lies in tests/; empty for one elsewhere."""
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
