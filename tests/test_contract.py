"""docs/contract.md and the code agree: what the code cites exists in the contract, and what the contract names exists
in the code.
"""

import ast
import functools
import io
import itertools
import pathlib
import re
import tokenize

import pytest
from django.core.management import get_commands

from project.base.settings_table import FREE_PREFIX, TABLE
from project.observability.gauges import exposition
from tests.sources import ROOT

CONTRACT = ROOT / "docs" / "contract.md"
TEXT = CONTRACT.read_text(encoding="utf-8")
RULES_SECTION, SETTINGS_SECTION, COMMANDS_SECTION, PAGES_SECTION = "3.9", "4", "5", "6"

_, *_parts = re.split(r"^#{2,3} (\d(?:\.\d+)?)(?=[. ])", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(_parts[::2], _parts[1::2], strict=True))
"""The text of each section by its number. That of a chapter ends where its first section begins."""
RULES = {
    int(number): name.rstrip(".").replace("`", "")
    for number, name in re.findall(r"^(\d+)\. \*\*(.+?)\*\*", SECTIONS[RULES_SECTION], flags=re.MULTILINE)
}


def first_cells(section: str) -> list[str]:
    """Returns the first cell of each row of a section's table."""
    rows = re.findall(r"^\| ((?:\\\||[^|])*?) \|", SECTIONS[section], flags=re.MULTILINE)
    return [cell for cell in rows[1:] if set(cell) != {"-"}]


COMMANDS = {name for cell in first_cells(COMMANDS_SECTION) for name in re.findall(r"`([a-z_]+)", cell)}
NUMBER = r"\d{1,2}\.\d{1,2}(?!\d|\.\d)"
NAMES = "|".join(re.escape(name).replace(r"\-\-fix", "`?--fix`?") for name in RULES.values())
START = re.compile(
    rf"\bcontract(?:'s)?,? (?:section )?(?=\d)|\bsection (?=\d)|\((?={NUMBER}[,;)])|\A(?={NUMBER}[:;, ])", re.IGNORECASE
)
LINE_BEGINS = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}  # a string after one of these tokens is a docstring
MAY_CITE = re.compile(
    rf"contract(?:'s)?,?\W+(?:section\W+)?\d|section\W+\d|\b3\.\d|\({NUMBER}[,;)]|(?:#|\"\"\") ?{NUMBER}[:;, ]",
    re.IGNORECASE,
)
"""What a file of code holds if it cites. Nothing is read twice then: most cite nothing."""
BARE = re.compile(r"(?<![\w.])(?<!# )(?=3\.(?:9|1\d)(?!\d|\.\d))")
"""Sections whose number alone is a citation. It is no good for pages, which have figures and versions."""
STEP = re.compile(
    r"(?P<separator>[,;]? and |[,;]? to |[,;] ?| |)(?:"
    rf"(?:section )?(?P<section>{NUMBER})"
    r"|(?P<kind>section |rules? |codes? )?(?P<open>\()?(?P<number>\d{1,5})(?(open)\))(?![\w.]*\d)"
    r"|`(?P<command>[a-z_]+)[^`]*`"
    rf"|(?P<name>{NAMES})\b"
    r"|(?P<no_name>[A-Z`-][\w`'-]*)"
    r"|\([a-z][^)]*\))"
)
"""What may follow in a row of citations, such as "3.2; 3.9, 1 and 3, Leases; 5, `take`"."""


def what_is_wrong(text: str, *, bare: bool = True) -> list[str]:
    """Returns the citations of a text that name nothing that exists. With `bare`, "3.9, 13" without the word
    "contract" is a citation too.
    """
    text = " ".join(text.split())
    starts = {found.end() for pattern in ((START, BARE) if bare else (START,)) for found in pattern.finditer(text)}
    problems, read = [], 0
    for at in sorted(starts):
        if at < read:
            continue
        read, found = _read_chain(text, at)
        problems += [f"{problem}: {text[max(0, at - 20) : read + 10]}" for problem in found]
    return problems


def _read_chain(text: str, at: int) -> tuple[int, list[str]]:
    """Reads a chain of citations. Returns where it ends, and what is wrong with it."""
    section, rule, problems = "", 0, []
    while step := STEP.match(text, at):
        separator, number, name = step["separator"], step["number"], (step["name"] or "").replace("`", "")
        in_rules = section == RULES_SECTION
        if number and in_rules and separator != "; ":
            rule = int(number)
            if rule not in RULES:
                problems.append(f"no rule {rule}")
        elif step["section"] or (number and len(number) < 3):
            section, rule = step["section"] or number, 0
            if section not in SECTIONS:
                problems.append(f"no section {section}")
        elif number:
            if number not in SECTIONS.get(section, number):
                problems.append(f"no {number} in section {section}")
        elif name and in_rules:
            if rule and separator == " " and RULES.get(rule) != name:
                problems.append(f"rule {rule} is not {name}")
        elif step["command"] and section == COMMANDS_SECTION:
            if step["command"] not in COMMANDS:
                problems.append(f"no command {step['command']}")
        else:
            if step["no_name"] and in_rules:
                problems.append(f"no rule {step['no_name']}")
            break
        at = step.end()
    return at, problems


@functools.cache
def texts_of(file: pathlib.Path) -> list[str]:
    """Returns the texts of a file that may contain citations. A document is one text. In code, each docstring and each
    block of comments is one.
    """
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return [text]
    if not MAY_CITE.search(text):
        return []
    found, comments, before = [], [], tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string.lstrip("# ")))
        elif token.type != tokenize.NL:
            if token.type == tokenize.STRING and before in LINE_BEGINS:
                found.append(ast.literal_eval(token.string))
            before = token.type
    for _, rows in itertools.groupby(enumerate(comments), key=lambda row: row[1][0] - row[0]):
        found.append(" ".join(comment for _, (_, comment) in rows))
    return found


@functools.cache
def files() -> list[pathlib.Path]:
    """Returns the files of code, documents and templates of the project."""
    shown = [path for path in ROOT.iterdir() if not path.name.startswith(".")]  # without .venv, .demo and the like
    found = [*shown, *(file for path in shown for file in path.rglob("*"))]
    return sorted(file for file in found if file.suffix in {".py", ".md", ".html"})


def cites_alone(file: pathlib.Path) -> bool:
    return file.suffix == ".py" or file == CONTRACT


@pytest.mark.whole
def test_everything_cited_is_there():
    wrong = [
        f"{file.relative_to(ROOT)}: {problem}"
        for file in files()
        for text in texts_of(file)
        for problem in what_is_wrong(text, bare=cites_alone(file))
    ]
    assert wrong == []


def test_there_is_something_to_look_at():
    assert len(SECTIONS) == 29
    assert list(RULES) == list(range(1, 20))
    assert sum(len(START.findall(text)) for file in files() for text in texts_of(file)) > 250


@pytest.mark.parametrize(
    "text",
    [
        "(contract 3.15)",
        "contract section 8",
        "contract 2.5, 5",
        "contract 3.9, 20).",
        "(contract 3.9, 13 and 21)",
        "contract 3.9, rules 4 and 25",
        "stays as it is (3.9,\n    26)",
        "3.9 (27): a later time-out is only logged.",
        "contract 3.9, Second claim)",
        "contract 3.9, Leases and Mails of all kinds)",
        "(contract 3.9 (8) Leases; 3.10)",
        "contract 3.2, 3.9, 1 and 28, 3.10",
        "contract 3.5; 3.99",
        "contract 3.9, 13; 8",
        "(contract 5, `evidences`)",
        "contract 2.3, code 29999)",
        "3.2: T is the first attempt. 3.9 (29): a day later as well.",
        "The table of section 3.19",
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text):
    assert len(what_is_wrong(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "(contract 2.3, last paragraph).",
        "contract 3.9, 10 Leases). Another worker",
        "(contract 3.9, Leases and What is frozen\nwhen)",
        "contract 3.9, What `--fix` may do).",
        "(contract 3.6; 3.9 (8) Callback before the answer; 3.10)",
        "contract 2.3, codes 20303 and 20308).",
        "(contract 3.9, A way out of everything; 5 `give_up`)",
        "Contract 3.5 (keys), 3.9 Compensation's reach.",
        'contract 3.8, "until its start has been carried out")',
        "3.9 (5) and (10): 5 s are left",
        "contract 3.9, Unknown: the desk looks again after ten minutes",
        "RFC 5280, 4.1: the signed part",
        "contract: a column changes over three versions",
    ],
)
def test_a_citation_that_is_right_is_let_through(text):
    assert what_is_wrong(text) == []


def test_each_setting_is_built():
    names = {name for cell in first_cells(SETTINGS_SECTION) for name in re.findall(r"[A-Z_]{4,}", cell)}
    assert len(names) > 40
    assert names - {FREE_PREFIX} - TABLE.keys() == set()


def test_each_command_is_built():
    assert len(COMMANDS) > 30
    assert COMMANDS - get_commands().keys() == set()


@pytest.mark.django_db
def test_each_metric_is_built():
    names = {name for cell in first_cells(PAGES_SECTION) for name in re.findall(r"`(desk_\w+)`", cell)}
    assert len(names) > 5
    shown = set(re.findall(r"^# TYPE (\w+)", exposition().decode(), flags=re.MULTILINE))
    assert names - shown == set()
