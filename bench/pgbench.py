"""The database's limit of intake: pgbench saves the rows of accepted orders by the desk's own statement, nothing else.

The statement is the one that intake sends, taken from one order posted to a copy of the benchmark's database. There are
the same tables, indexes and references, and each order has a trial of its own, as at the desk.
"""

import contextlib
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections

from bench import environment  # noqa: F401  sets Django up
from bench.desk import copied_database, on_server, switch
from bench.environment import SERVER
from bench.orders import make_trials, post_activations
from orders.models import BillingRecord, Order, OrderEvent

CLIENTS = 8
MARK = 100_000_000  # the sample's number and its trial's id; in its rows' place stands the number of each order
PLACE = "@k@"
HEX = re.compile(rf'("[0-9a-f-]{{20,}})[0-9a-f]{{{len(str(MARK))}}}"')  # keys, hashes and transaction numbers
MOST_PER_SECOND = 6000  # so many trials are prepared
# Otherwise autovacuum would clear up after pgbench while the desk is measured.
QUIET = """
DO $$ DECLARE name regclass; BEGIN
  FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', name);
  END LOOP;
END $$"""
TRIALS = """
INSERT INTO orders_order SELECT new.* FROM orders_order AS sample, generate_series(%s, %s) AS k,
  jsonb_populate_record(sample, jsonb_build_object('id', k, 'number', 'T' || k, 'trans_idh', 'T' || k)) AS new
WHERE sample.id = %s"""


@dataclass
class Limit:
    """pgbench, its script and the values of the script; `url` is of the copy."""

    program: str
    url: str
    script: pathlib.Path
    values: list[str]
    used: int = MARK
    rates: list[float] = field(default_factory=list)

    def run(self, seconds: int) -> None:
        """Appends the orders per second to `rates`. Raises if a transaction failed."""
        first, self.used = self.used + 1, self.used + seconds * MOST_PER_SECOND
        with psycopg.connect(self.url) as database:
            database.execute(TRIALS, [first, self.used, MARK])
        variables = [f"first={first}", f"clients={CLIENTS}", "turn=0", *self.values]
        words = [self.program, "-n", "-M", "prepared", f"-c{CLIENTS}", "-j1", f"-T{seconds}", f"-f{self.script}"]
        words += [word for variable in variables for word in ("-D", variable)]
        ran = subprocess.run([*words, self.url], capture_output=True, text=True, check=False, timeout=200)
        found = re.search(r"^tps = ([\d.]+)", ran.stdout, re.MULTILINE)
        if ran.returncode or not found:
            raise RuntimeError(f"pgbench failed: {ran.stderr[-1000:]}")
        self.rates.append(float(found[1]))


def find_program() -> str | None:
    """pgbench from PATH, or the newest of Debian's postgresql."""
    installed = pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench")
    newest = max(installed, key=lambda path: float(path.parts[4]), default=None)
    return shutil.which("pgbench") or (str(newest) if newest else None)


@contextlib.contextmanager
def database_limit(folder: pathlib.Path) -> Iterator[Limit | None]:
    """The limit, ready to run; None without pgbench. Made before anything else connects with the database."""
    program = find_program()
    if not program:
        yield None
        return
    own = connections[DEFAULT_DB_ALIAS]
    with copied_database("pgbench") as copy:
        on_server(QUIET, copy.settings_dict["NAME"])
        switch(copy)
        sql, rows = _sample()
        switch(own)
        names = [f"rows{number}" for number in range(len(rows))]
        places = [f"replace(:{name}, '{PLACE}', (:k)::text)::json" for name in names]
        script = folder / "pgbench.sql"
        counts = "\\set k :first + :turn * :clients + :client_id\n\\set turn :turn + 1\n"
        script.write_text(f"{counts}{sql % tuple(places)};\n", encoding="utf-8")
        values = [f"{name}={text}" for name, text in zip(names, rows, strict=True)]
        yield Limit(program, f"{SERVER}/{copy.settings_dict['NAME']}", script, values)


def _sample() -> tuple[str, list[str]]:
    """The statement that saves an accepted activation, and its values with a place for the order's number."""
    seen: list[tuple[str, list[str]]] = []

    def watch(execute, sql, params, many, context):
        if sql.startswith("WITH insert_1 "):
            seen.append((sql, list(params)))
        return execute(sql, params, many, context)

    _start_ids(Order, MARK)
    make_trials(MARK, 1)
    for model in (Order, OrderEvent, BillingRecord):
        _start_ids(model, int(f"1{MARK}"))
    with connection.execute_wrapper(watch):
        post_activations(Order.objects.filter(pk=MARK))
    ((sql, rows),) = seen
    return sql, [HEX.sub(rf'\1{PLACE}"', text.replace(str(MARK), PLACE)) for text in rows]


def _start_ids(model, first: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {model._meta.db_table} ALTER id RESTART WITH {first}")
