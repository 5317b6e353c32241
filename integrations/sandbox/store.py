"""The sandbox's store of records, processes, calls and keys. The SQLite database is in memory, or in a file that
survives a kill.

The store is thread-safe and independent of HTTP. It has one connection and one lock. A call holds the lock for about 50
µs.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from integrations.sandbox.http_messages import SandboxRequest, SandboxResponse, compact
from orders.rules.host_names import domain_key
from orders.rules.local_time import SHANGHAI

KEPT_CALLS = 10_000
SCHEMA = (Path(__file__).parent / "schema.sql").read_text()
TABLES = ("records", "processes", "approvals", "flows", "keys", "calls", "violations", "counters")


def now() -> str:
    """Returns the current time in Asia/Shanghai, ISO 8601 with microseconds and offset."""
    return datetime.now(SHANGHAI).isoformat(timespec="microseconds")


class Store:
    """All data of the simulated partners. A record's key is (jobId, productId, `domain_key`)."""

    def __init__(self, file: str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # OFF survives a killed process but not a power failure. That is enough for a sandbox, and OFF is fast.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {SCHEMA}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the block in a transaction, with the store's lock. If blocks are nested, the outermost block commits or
        rolls back."""
        with self._lock:
            outermost = not self._db.in_transaction
            if outermost:
                self._db.execute("BEGIN")
            try:
                yield
            except BaseException:
                if outermost:
                    self._db.execute("ROLLBACK")
                raise
            if outermost:
                self._db.execute("COMMIT")

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._db.execute(sql, values)

    def _all(self, sql: str, *values: object) -> list[dict]:
        with self._lock:
            return [dict(row) for row in self._run(sql, *values)]

    # --- calls and keys

    def arrive(self, call: SandboxRequest) -> int:
        values = (now(), call.path, call.key, call.request_id, call.digest, call.body.decode(errors="replace"))
        with self.transaction():
            number = self._run(
                "INSERT INTO calls (at, path, key, request_id, digest, body) VALUES (?, ?, ?, ?, ?, ?)", *values
            ).lastrowid
            if number % 500 == 0:
                self._run("DELETE FROM calls WHERE id <= ?", number - KEPT_CALLS)
        return number

    def settle(self, number: int, answer: SandboxResponse, *, fault: str | None, took: float) -> None:
        """Stores the response to a call. If the connection was reset, status and response stay empty."""
        given = (None, None) if answer.manner == "reset" else (answer.status, answer.body.decode(errors="replace"))
        with self.transaction():
            self._run(
                "UPDATE calls SET status = ?, answer = ?, fault = ?, took = ? WHERE id = ?",
                *given,
                fault,
                round(took, 6),
                number,
            )

    def note_key(self, call: SandboxRequest) -> None:
        """Records the first bytes received with a key. A known key with other bytes is a violation."""
        with self.transaction():
            self._run("INSERT OR IGNORE INTO keys (key, digest) VALUES (?, ?)", call.key, call.digest)
            if self._run("SELECT digest FROM keys WHERE key = ?", call.key).fetchone()["digest"] != call.digest:
                self.violate("key_reused", f"{call.path}：键 {call.key} 再次出现，内容不同")

    def stored_answer(self, key: str) -> tuple[str, dict] | None:
        """Returns (digest of the call, response) stored under this key, or None."""
        kept = self._run("SELECT digest, answer FROM keys WHERE key = ? AND answer IS NOT NULL", key).fetchone()
        return (kept["digest"], json.loads(kept["answer"])) if kept else None

    def keep_answer(self, call: SandboxRequest, answer: dict) -> None:
        self._run("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", call.key, call.digest, compact(answer))

    def violate(self, kind: str, detail: str) -> None:
        self._run("INSERT INTO violations (at, kind, detail) VALUES (?, ?, ?)", now(), kind, detail)

    def count(self, name: str, by: int = 1) -> None:
        self._run(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            name,
            by,
        )

    # --- big data

    def put_record(self, record: dict) -> None:
        """Creates or replaces a billing record. A cancellation replaces the record too."""
        self._run("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", *_identity(record), compact(record))

    def delete_record(self, named: dict) -> None:
        gone = self._run("DELETE FROM records WHERE job = ? AND product = ? AND domain = ?", *_identity(named)).rowcount
        self.count("deleted", gone)

    def holds_record(self, named: dict) -> bool:
        found = self._run("SELECT 1 FROM records WHERE job = ? AND product = ? AND domain = ?", *_identity(named))
        return found.fetchone() is not None

    def records(self, job: str | None = None) -> list[dict]:
        # Two statements are used. With "? IS NULL OR job = ?" each query would read all records.
        if job is None:
            rows = self._all("SELECT body FROM records ORDER BY rowid")
        else:
            rows = self._all("SELECT body FROM records WHERE job = ? ORDER BY rowid", job)
        return [json.loads(row["body"]) for row in rows]

    def set_flow(self, job: str, dataflow: float, *, plain: bool) -> None:
        with self.transaction():
            self._run("INSERT OR REPLACE INTO flows VALUES (?, ?, ?)", job, dataflow, plain)

    def flow(self, job: str) -> tuple[float, bool]:
        row = self._run("SELECT dataflow, plain FROM flows WHERE job = ?", job).fetchone()
        return (row["dataflow"], bool(row["plain"])) if row else (0.0, False)

    # --- BPM

    def start_process(self, code: str, key: str, body: dict) -> str:
        """Starts a process for an order and returns the processId. A second process for the same order is a
        violation."""
        if self.process_number(code):
            self.violate("started_twice", f"{code}：又以键 {key} 发起")
        number = self._run(
            "INSERT INTO processes (code, key, at, body) VALUES (?, ?, ?, ?)", code, key, now(), compact(body)
        ).lastrowid
        return f"bpm-{number}"

    def process_number(self, code: str) -> int:
        return self._run("SELECT COALESCE(MAX(n), 0) AS n FROM processes WHERE code = ?", code).fetchone()["n"]

    def next_approval(self, code: str) -> str:
        """Returns a new recordId `bpm-<process>-<k>` for an order's next approval."""
        with self.transaction():
            process = self.process_number(code)
            place = self._run("SELECT COUNT(*) + 1 AS k FROM approvals WHERE process = ?", process).fetchone()["k"]
            self._run("INSERT INTO approvals VALUES (?, ?, ?)", process, place, code)
        return f"bpm-{process}-{place}"

    # --- reading the state

    def calls(self, *, path: str | None = None, order: str | None = None, limit: int = KEPT_CALLS) -> list[dict]:
        rows = self._all(
            "SELECT * FROM calls WHERE (?1 IS NULL OR path = ?1)"
            " AND (?2 IS NULL OR instr(body, '\"' || ?2 || '\"') > 0) ORDER BY id DESC LIMIT ?3",
            path,
            order,
            limit,
        )
        return [_call(row) for row in reversed(rows)]

    def processes(self) -> list[dict]:
        rows = self._all("SELECT * FROM processes ORDER BY n")
        return [{"processId": f"bpm-{row.pop('n')}", **row, "body": json.loads(row["body"])} for row in rows]

    def violations(self) -> list[dict]:
        """Returns the violations of rules, each with `at`, `kind` (`key_reused` or `started_twice`) and `detail`."""
        return self._all("SELECT at, kind, detail FROM violations ORDER BY id")

    def counts(self) -> dict[str, int]:
        with self._lock:
            found = dict(self._run(COUNTS).fetchone())
            counters = {row["name"]: row["value"] for row in self._run("SELECT * FROM counters")}
        return {**found, "repeats": counters.get("repeats", 0), "deleted": counters.get("deleted", 0)}

    def state(self, *, calls: int = KEPT_CALLS) -> dict:
        with self._lock:
            return {
                "records": self.records(),
                "processes": self.processes(),
                "flows": self._all("SELECT job AS jobId, dataflow, plain FROM flows ORDER BY job"),
                "calls": self.calls(limit=calls),
                "counts": self.counts(),
                "violations": self.violations(),
            }

    def reset(self) -> None:
        with self.transaction():
            for table in TABLES:
                self._run(f"DELETE FROM {table}")

    def close(self) -> None:
        with self._lock:
            self._db.close()


COUNTS = """SELECT
  (SELECT COALESCE(MAX(id), 0) FROM calls) AS calls,
  (SELECT COUNT(*) FROM records) AS records,
  (SELECT COUNT(*) FROM records WHERE json_extract(body, '$.cancelStatus') = '2') AS cancelled,
  (SELECT COUNT(*) FROM processes) AS processes,
  (SELECT COUNT(*) FROM violations) AS violations"""


def _identity(record: dict) -> tuple[str, str, str]:
    return record["jobId"], record["productId"], domain_key(record["domain"])


def _call(row: dict) -> dict:
    return {**row, "body": json_or_text(row["body"]), "answer": json_or_text(row["answer"])}


def json_or_text(text: str | None) -> object:
    try:
        return json.loads(text) if text else text
    except ValueError:
        return text
