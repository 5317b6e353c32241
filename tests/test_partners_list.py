"""docs/partners.md and its Chinese translation ask about everything that the contract assumes, and about all keys of
the profile.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from integrations.partners.profile import NO_KEYS, TOML_KEYS, Answer, Profile
from project.base.settings_table import TABLE
from tests.sources import source
from tests.test_contract import SECTIONS

PAGES = {"docs/partners.md": "assumed", "docs/zh/partners.md": "假定"}
SOURCES = {
    "docs/partners.md": re.compile(r"\*(document|case|assumed|unsaid)\*"),
    "docs/zh/partners.md": re.compile(r"\*(文档|案例|假定|未写明)\*"),
}
OF_PROFILE = re.compile(r"`((?:bboss|files|bigdata|bpm)(?:\.\w+)+)(?: = [^`]+)?`")
SETTING = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)`")


def rows_of(page: str) -> list[list[str]]:
    """Returns the rows of the tables that have a column for the source. The columns are assumption, source, question,
    key, and how to see it.
    """
    rows = re.findall(r"^\| (.*) \|$", source(page), re.MULTILINE)
    return [cells for row in rows if len(cells := row.split(" | ")) == 5 and SOURCES[page].match(cells[1])]


def keys_of(kind: type = Profile, path: str = "") -> Iterator[str]:
    """Yields the paths of all keys of the profile. How answers are read is one question for each partner, not for each
    call.
    """
    for one in fields(kind):
        here = path + TOML_KEYS.get((kind, one.name), one.name)
        value = getattr(kind(), one.name)
        if (kind, one.name) in NO_KEYS or (isinstance(value, Answer) and here.count(".") > 1):
            continue
        if is_dataclass(value):
            yield from keys_of(type(value), f"{here}.")
        else:
            yield here


@pytest.mark.parametrize("page, word", PAGES.items())
def test_each_assumption_of_the_contract_is_a_row(page, word):
    """A section is cited by as many rows as it contains the word *assumed*. A row with ×2 counts twice, and so does
    "both *assumed*" in the contract.
    """
    said = Counter(
        {
            section: count
            for section, text in SECTIONS.items()
            if (count := sum(2 if both else 1 for both in re.findall(r"(\bboth )?\*assumed\*", text, re.IGNORECASE)))
        }
    )
    cited: Counter[str] = Counter()
    for _, where, *_ in rows_of(page):
        if found := re.search(rf"\*{word}\* (\d(?:\.\d+)?)(?:\W+×(\d))?", where):
            cited[found[1]] += int(found[2] or 1)
    assert sum(said.values()) > 20
    assert cited == said


@pytest.mark.parametrize("page", PAGES)
def test_each_key_of_the_profile_is_asked_about(page):
    """Each key is named in a row, or the table of the profile that contains it, such as `bboss.kinds`."""
    named = {name for row in rows_of(page) for name in OF_PROFILE.findall(row[3])}
    known = set(keys_of())
    assert len(known) > 60
    assert [key for key in known if not any(f"{key}.".startswith(f"{name}.") for name in named)] == []
    assert {"bigdata.answer", "bpm.answer"} <= named


@pytest.mark.parametrize("page", PAGES)
def test_each_key_and_setting_that_it_names_is_there(page):
    text = source(page)
    tables = {key.rsplit(".", depth)[0] for key in keys_of() for depth in (0, 1, 2)}
    assert set(OF_PROFILE.findall(text)) - tables == set()
    assert set(SETTING.findall(text)) - set(TABLE) == set()


@pytest.mark.parametrize("page", PAGES)
def test_each_row_says_all_five_things(page):
    """A table without its column for the source, or a row with a missing cell, would otherwise not be tested at all."""
    tables = re.findall(r"(?m)^\| .* \|\n\|(?: --- \|){5}\n((?:\|.*\n)+)", source(page))
    assert [len(rows.splitlines()) > 5 for rows in tables] == [True] * 5
    assert sum(len(rows.splitlines()) for rows in tables) == len(rows_of(page))
    assert [row for row in rows_of(page) if not all(cell.strip() for cell in row)] == []
