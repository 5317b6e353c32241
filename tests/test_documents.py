"""Everything that the documents name exists: code, tests, and each word for a state. tests/test_named_files.py checks
the names of files.
"""

import ast
import functools
import pathlib
import re

import pytest
from django.utils.translation import override

from approvals.models import ApprovalRecord
from orders.incidents.incident_codes import BOOKS_ONLY
from orders.models import BillingRecord, Difference, Dispatch, Incident, Order
from orders.texts.incident_texts import CAUSES
from tests.sources import ROOT, source

ARCHITECTURE, STATUSES, OPERATIONS = (source(f"docs/{name}.md") for name in ("architecture", "statuses", "operations"))
FOR_ENGINEERS = re.compile(r"engineer on duty|technicians|settings|credentials|PARTNER_")
WORDS = {
    "## Kinds of orders": Order.Kind,
    "## Orders": Order.State,
    "## Why an order is held": [held for held in Order.Held if held],
    "## States of steps": Dispatch.State,
    "## Steps": Dispatch.Step,
    "## Billing records": BillingRecord.State,
    "## Incidents": Incident.State,
    "## Kinds of differences": Difference.Kind,
    "## States of differences": Difference.State,
    "## Decisions": ApprovalRecord.Result,
}
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", ARCHITECTURE)))


def found(path: str) -> pathlib.Path:
    """Returns a file of the tables, whose path begins at the root or at the folder that the page names."""
    folder = ROOT / ("tests/flows" if path.startswith("test_") else "orders")
    return folder / path if (folder / path).exists() else ROOT / path


@functools.cache
def names_of(file: pathlib.Path) -> set[str]:
    """Returns the functions and classes that a file defines at its top level."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, kinds)}


def rows_of(heading: str, columns: int, page: str = ARCHITECTURE) -> list[list[str]]:
    """Returns the cells of the first table below the line that begins with `heading`."""
    lines = page[page.index(f"\n{heading}") :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---"))
    cells = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    assert {len(row) for row in cells} == {columns}
    return cells


def test_what_the_rules_name_is_there():
    assert len(NAMED) > 80
    assert [(path, name) for path, name in NAMED if name not in names_of(found(path))] == []


def test_each_rule_has_its_code_and_its_tests():
    rules = rows_of("## The rules by name", 3)
    assert [row[0].split()[0] for row in rules] == [str(number) for number in range(1, 20)]
    assert [row[0] for row in rules if "::" not in row[1] or "::test_" not in row[2]] == []


def test_each_row_out_of_order_is_tested_at_rest_and_in_the_air():
    rows = rows_of("The table of section 3.10", 5)
    assert len(rows) == 15
    assert [row[0] for row in rows if "::" not in row[2] or "::test_" not in row[3] or "::test_" not in row[4]] == []


def test_each_incident_that_only_the_books_end_is_explained():
    section = STATUSES[STATUSES.index("Only the books or `accept` end these") :]
    assert {row[0].strip("`") for row in rows_of("| code | opens when", 3, "\n" + section)} == BOOKS_ONLY


def test_each_incident_that_an_engineer_must_cure_is_explained():
    """Incidents must be explained whose advice says to call an engineer, or is about settings, certificates and
    machines.
    """
    with override("en"):
        wanted = {code for code, cause in CAUSES.items() if FOR_ENGINEERS.search(str(cause.next))}
    assert {"payload", "internal", "lost", "tls", "http_404"} <= wanted
    assert wanted == set(re.findall(r"`(\w+)`", "".join(row[0] for row in rows_of("| code, for", 3, OPERATIONS))))


def test_ci_plays_each_suite_that_testing_says_it_plays():
    """A dash in the table means that a person runs the suite. In the script, commands in quotes are only printed, so
    they don't count.
    """
    script = re.sub(r'"[^"]*"', "", source(".ci/run"))
    rows = rows_of("These suites judge", 3, "\n" + source("docs/testing.md"))
    suites = [(name, row[2] != "–") for row in rows for name in re.findall(r"`((?:make|python -m) [\w.-]+)", row[0])]
    assert len(suites) > 15
    assert suites == [(name, bool(re.search(rf"{re.escape(name)}(?![\w-])", script))) for name, _ in suites]


def commands_of(page: str) -> list[str]:
    """Returns the lines of a page's shell blocks, without the content of here-documents, and without variables that
    are set for one command.
    """
    blocks = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    blocks = re.sub(r"(<<'?END'?.*?\n).*?^\s*END$", r"\1", blocks, flags=re.DOTALL | re.MULTILINE)
    return [re.sub(r"^([A-Z_]+=\S* ?)+", "", line) for line in blocks.splitlines()]


@pytest.mark.parametrize("name", ["README.md", "deploy/README.md", "docs/high-availability.md", "docs/restore.md"])
def test_no_command_shows_a_password_to_all_accounts(name):
    """Every account of the machine can read the words of a running command by `ps`."""
    lines = commands_of(source(name))
    assert len(lines) > 10
    assert [line for line in lines if re.search(r"password=|PASSWORD '|://\w+:\w+@", line)] == []


def in_language(tongue: str, text) -> str:
    with override(tongue):
        return str(text)


@pytest.mark.parametrize("heading", WORDS)
def test_each_word_of_pages_mails_and_show_can_be_looked_up(heading):
    """The tables list each code with its Chinese and English label, in the order of the code."""
    choices = WORDS[heading]
    wanted = [[f"`{row.value}`", *(in_language(tongue, row.label) for tongue in ("zh-hans", "en"))] for row in choices]
    lines = STATUSES[STATUSES.index(f"\n{heading}\n") :].splitlines()
    columns = next(line for line in lines if line.startswith("| ---")).count("|") - 1
    assert [row[:3] for row in rows_of(heading + "\n", columns, STATUSES)] == wanted
