"""`python -m tests.tools.faults --count 200 --seed 1`: puts faults into the code and reports which faults tests
notice.

The faults are in the bodies of functions. All kinds of faults are equally frequent. The seed selects faults by a hash
of the changed text and not of its place, so most faults are selected again in the next version. A fault is noticed if
a test that runs the changed lines fails or hangs. Only the tests of the short run of `make test` on SQLite are used.
Tests that already fail without a fault are ignored.

Everything runs in copies of the tree in `--folder`. The folder is created at the first run and kept. Results are
stored after each fault, so the same command continues an interrupted run.
"""

import argparse
import ast
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData
from tqdm import tqdm

from tests.run import NOT_NEEDED
from tests.sources import APPS, ROOT

APART = ("/migrations/", "/texts/", "texts.py", "/sandbox/")  # without faults: texts, and the simulated partners
DANGEROUS = "kill("  # signal 0 only tests a process, but a fault could send signal 1, which may end a process
WORDS = {"label", "help_text", "verbose_name", "description", "short_description", "boolean", "ordering"}
SWAPPED = {
    **{ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"},
    **{ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is"},
}
FILES_OF_TESTS = "SELECT context, count(*) FROM line_bits JOIN context ON context.id = context_id GROUP BY context"
HANGS_AFTER = 120  # seconds for a test, on a busy machine
QUIET = {**os.environ, "DESK_TEST_DATABASE_URL": "", "PYTHONPATH": str(Path(__file__).parent)}
PYTEST = [sys.executable, "-m", "pytest", "-q", "-m", "not processes and not kills and not versions", *NOT_NEEDED]


class Fault(NamedTuple):
    kind: str
    file: str
    function: str
    first: int  # line number
    last: int
    start: int  # byte offset
    end: int
    new: str
    before: str
    after: str

    @property
    def key(self) -> str:
        return hashlib.sha256("\0".join([self.kind, self.function, self.before, self.after]).encode()).hexdigest()[:16]


def chosen(tree: Path, count: int, seed: int) -> list[Fault]:
    """Returns the faults of a seed, alternating between kinds. If a function has identical faults, only the first is
    used."""
    kinds: dict[str, dict[str, Fault]] = defaultdict(dict)
    for file in sorted(file for app in APPS for file in tree.glob(f"{app}/**/*.py")):
        path = file.relative_to(tree).as_posix()
        if not any(part in path for part in APART):
            for fault in faults_of(path, file.read_bytes()):
                kinds[fault.kind].setdefault(fault.key, fault)
    in_order = [
        sorted(faults.values(), key=lambda fault: hashlib.sha256(f"{seed} {fault.key}".encode()).digest())
        for _kind, faults in sorted(kinds.items())
    ]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*in_order))
    return list(itertools.islice(filter(None, turns), count))


def faults_of(path: str, text: bytes) -> Iterator[Fault]:
    """Yields all faults of a file with which the file still compiles."""
    begins = [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True))]
    for function, kind, node, new in changes(ast.parse(text), ""):
        start = begins[node.lineno - 1] + node.col_offset
        end = begins[node.end_lineno - 1] + node.end_col_offset
        whole, until = begins[node.lineno - 1], begins[node.end_lineno]
        before = one_line(text[whole:until])
        after = one_line(text[whole:start] + new.encode() + text[end:until])
        if DANGEROUS in before:
            continue
        try:
            compile(text[:start] + new.encode() + text[end:], path, "exec", dont_inherit=True)
        except SyntaxError:
            continue
        yield Fault(kind, path, function, node.lineno, node.end_lineno, start, end, new, before, after)


def one_line(text: bytes) -> str:
    return " ".join(text.decode().split())


def changes(node: ast.AST, function: str) -> Iterator[tuple[str, str, ast.AST, str]]:
    """Yields (function, kind, node that the fault replaces, new text)."""
    for field, child in ast.iter_fields(node):
        for part in child if isinstance(child, list) else [child]:
            if isinstance(part, ast.FunctionDef | ast.ClassDef):
                inner = f"{function}.{part.name}" if function else part.name
                for statement in part.body:  # skips decorators, defaults and annotations
                    if isinstance(part, ast.FunctionDef) or isinstance(statement, ast.FunctionDef | ast.ClassDef):
                        yield from changes(ast.Module([statement], []), inner)
            elif isinstance(part, ast.AST) and not isinstance(part, ast.JoinedStr | ast.Assert):
                if function and field != "annotation":
                    yield from ((function, kind, piece, new) for kind, piece, new in changes_at(part))
                yield from changes(part, function)


def changes_at(node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            yield "comparison swapped", node, f"({ast.unparse(left)} {SWAPPED[type(operator)]} {ast.unparse(right)})"
        case ast.UnaryOp(op=ast.Not()):
            yield "condition negated", node, f"({ast.unparse(node.operand)})"
        case ast.BoolOp():
            other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            yield "and/or swapped", node, f"({ast.unparse(ast.BoolOp(other, node.values))})"
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield "off by one", node, str(value + 1)
        case ast.ExceptHandler(type=ast.AST()):
            yield "handler removed", node.type, "()"
        case ast.keyword(arg=str()) if node.arg not in WORDS:
            yield "argument dropped", node, "**{}"
        case ast.Expr(value=ast.Call()):
            yield "call dropped", node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign():
            yield "assignment dropped", node, "pass"
        case ast.Return(value=ast.AST()) if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "nothing returned", node.value, "None"
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield "condition negated", node.test, f"(not ({ast.unparse(node.test)}))"


def copy_tree(source: Path, to: Path) -> None:
    """Copies all files that git tracks or would add, in their current state."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(words, cwd=source, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (source / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, to / name)


def note_lines(folder: Path, processes: int) -> None:
    """Runs all tests once, and records the lines that each test runs."""
    (folder / "lines").mkdir(exist_ok=True)
    (folder / "lines" / "failed").touch()
    spread = ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
    environment = QUIET | {"LINES_RUN": str(folder / "lines"), "DESK_TEST_SHARED": "1"}
    subprocess.run([*PYTEST, "-p", "lines_run", *spread], cwd=folder / "tree", env=environment, check=False)
    (folder / "noted").touch()


class Tests:
    """Finds the tests that run a line. Tests that run the fewest files come first."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.failed = set((folder / "lines" / "failed").read_text().splitlines())
        self.data = []
        self.runs: Counter[str] = Counter()  # by test: the number of files that it runs
        for file in (folder / "lines").glob("lines.*"):
            self.data.append(CoverageData(file))
            self.data[-1].read()
            with contextlib.closing(sqlite3.connect(file)) as lines:
                self.runs.update(dict(lines.execute(FILES_OF_TESTS).fetchall()))

    def of(self, fault: Fault) -> list[str]:
        found: set[str] = set()
        for data in self.data:
            lines = data.contexts_by_lineno(str(self.tree / fault.file))
            found.update(*(tests for line, tests in lines.items() if fault.first <= line <= fault.last))
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(found - self.failed - {""}, key=lambda test: (self.runs[test], test)):
            by_file[test.partition("::")[0]].append(test)
        return [test for tests in by_file.values() for test in tests]


def judge(fault: Fault, tests: list[str], work: Path, limit: float) -> dict:
    """Runs the tests with the fault. Returns the result."""
    told = {"noticed": False, "place": f"{fault.file}:{fault.first}", **fault._asdict(), "tests": len(tests), "by": ""}
    if not tests:
        return told | {"by": "no test runs it"}
    file, listed = work / fault.file, work.parent / "tests.txt"
    text = file.read_bytes()
    listed.write_text("\n".join(tests))
    file.write_bytes(text[: fault.start] + fault.new.encode() + text[fault.end :])
    hang = ["-o", f"faulthandler_timeout={HANGS_AFTER}", "-o", "faulthandler_exit_on_timeout=true"]
    process = subprocess.Popen(
        [*PYTEST, "-x", "--tb=no", "-rfE", *hang, f"@{listed}"],
        **{"cwd": work, "env": QUIET | {"PYTHONDONTWRITEBYTECODE": "1"}, "start_new_session": True},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"},
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return told | {"by": f"not within {limit:.0f} s"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        file.write_bytes(text)
    if process.returncode == 0:
        return told
    line = re.search(r"^(FAILED|ERROR) .*?(?= - |$)", output, re.MULTILINE)
    ended = f"exit code {process.returncode}: {output[-200:].strip()}"  # a hang: 1; a signal: below 0
    return told | {"noticed": True, "by": line[0] if line else ended}


def show(results: list[dict]) -> None:
    for told in results:
        verdict = "noticed" if told["noticed"] else "NOT NOTICED"
        print(f"{told['place']}  {told['kind']}  {verdict}  {told['by']}")
        print(f"    - {told['before'][:150]}\n    + {told['after'][:150]}")
    print(f"{sum(told['noticed'] for told in results)} of {len(results)} noticed")
    for kind, number in sorted(Counter(told["kind"] for told in results).items()):
        print(f"    {kind}: {sum(told['noticed'] for told in results if told['kind'] == kind)} of {number}")


def main(arguments: list[str]) -> int:
    words = argparse.ArgumentParser(prog="python -m tests.tools.faults")
    words.add_argument("--count", type=int, default=200)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--from", type=int, default=0, dest="begin", help="leaves out those before")
    words.add_argument("--only", type=int, help="judges so many at most")
    words.add_argument("--tree", type=Path, default=ROOT, help="another checkout")
    words.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "desk-faults")
    words.add_argument("--results", type=Path, help="FOLDER/results.json otherwise")
    words.add_argument("--seconds", type=float, default=300, help="for one fault")
    words.add_argument("--processes", type=int, default=1, help="for the run that notes lines")
    options = words.parse_args(arguments)
    folder = options.folder.absolute()
    kept = options.results or folder / "results.json"
    if not (folder / "noted").exists():
        copy_tree(options.tree, folder / "tree")
        note_lines(folder, options.processes)
    shutil.rmtree(folder / "work", ignore_errors=True)  # an interrupted run may have left a fault in it
    shutil.copytree(folder / "tree", folder / "work")
    tests = Tests(folder)
    results = json.loads(kept.read_text()) if kept.exists() else {}
    faults = chosen(folder / "tree", options.count, options.seed)
    for fault in tqdm(faults[options.begin :][: options.only], unit="fault"):
        if fault.key not in results:
            results[fault.key] = judge(fault, tests.of(fault), folder / "work", options.seconds)
            kept.write_text(json.dumps(results, indent=1, ensure_ascii=False))
    show([results[fault.key] for fault in faults if fault.key in results])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
