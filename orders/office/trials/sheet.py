"""Converts a sheet's cells to contents of trials (contract 2.4), and finds faults of single cells."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import from_excel

from orders.models import Province
from orders.office.trials.columns import (
    ATTRIBUTION,
    CODED,
    CUSTOMER,
    DOMAINS,
    START,
    VOLUME,
    Column,
    trial_columns,
)
from orders.office.trials.workbook import Cell, Sheet
from orders.rules.content import MAX_DOMAINS
from orders.rules.host_names import LONGEST_NAME, domain_fault, domain_key, domain_meant
from orders.texts.error_messages import say, say_in_english
from orders.texts.errors import WorkbookError

REMARKS_IN_ENGLISH = "What to put right"
REMARKS = gettext_lazy("What to put right")
BETWEEN_DOMAINS = re.compile(r"[\s,;，；、]+")
DOMAINS_SHOWN = 5  # of each trial, in the review of a workbook
WRONG_KINDS = {"f": "cell_formula", "e": "cell_error", "r": "cell_rounded", "b": "cell_boolean"}
IN_CELL, LONGEST_TEXT = "text", 2000  # key of a wrong cell's text, if it is not longer
DAY = re.compile(r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日)")
"""A day as people write it: 2026-12-01, 2026/12/1, 2026.12.1 or 2026年12月1日."""
SENT_DAY, LONGEST_NUMBER = re.compile(r"\A([0-9]{4})([0-9]{2})([0-9]{2})\Z"), 64
DAY_NUMBERS = range(25_569, 80_000)  # 1970 to 2119, as Excel counts days


@dataclass(frozen=True)
class Fault:
    """A fault of a cell, or of a column's header: a code with its parameters. The parameters are JSON values."""

    cell: str
    member: str
    code: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """For a terminal: `C5 EnterpriseName: is missing`."""
        return f"{self.cell} {self.member}".strip() + f": {say_in_english(self.code, self.params)}"

    def words(self) -> str:
        """Returns the fault as text for pages, in the reader's language and with the column's title."""
        place = f"{self.cell} {self.title}".strip()
        return _("%(place)s: %(what)s") % {"place": place, "what": self.what()}

    def what(self) -> str:
        return say(self.code, self.params)

    @property
    def is_editable(self) -> bool:
        """Returns True if a page may offer the cell's text for correction."""
        return IN_CELL in self.params

    @property
    def in_cell(self) -> str:
        return self.params[IN_CELL]

    @property
    def title(self) -> str:
        known = trial_columns().get(self.member)
        return known.title if known else self.member


@dataclass
class Entry:
    """A trial to enter: a row of a workbook, or a form, which has no row. `cells`: {member: `C5`}.

    `hosts`: {pasted text: the host that was taken from it}.
    """

    content: dict[str, Any]
    row: int = 0
    cells: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)

    def add_fault(self, member: str, code: str, **params: Any) -> None:
        """Adds a fault with the cell's text, so that a page can offer the text for correction."""
        text = self.texts.get(member, "")
        if member in self.cells and len(text) <= LONGEST_TEXT:
            params[IN_CELL] = text
        self.faults.append(self.fault(member, code, **params))

    def fault(self, member: str, code: str, **params: Any) -> Fault:
        """Returns a fault of the member's cell. If the sheet has no column for the member, returns a fault of the
        enterprise id's cell: the member is derived from that id."""
        return Fault(self.cells.get(member) or self.cells.get(CUSTOMER, ""), member, code, params)

    def sort_faults(self) -> None:
        places = {member: place for place, member in enumerate(self.cells or trial_columns())}
        self.faults.sort(key=lambda fault: places.get(fault.member, len(places)))

    @classmethod
    def of_texts(cls, texts: dict[str, str], **where: Any) -> Self:
        """Builds an entry. `texts`: {member: text as typed}. Blank texts are left out."""
        content: dict[str, Any] = {"OrderType": "1"}
        hosts: dict[str, str] = {}
        for member, text in texts.items():
            if member == DOMAINS:
                names, hosts = _read_domains(text)
                content[member] = [{"ProvReq": name} for name in names]
            elif text:
                content[member] = _in_digits(text) if trial_columns()[member].is_day else text
        return cls(content, texts=texts, hosts=hosts, **where)

    def summary(self) -> dict[str, Any]:
        """Returns the part of the content that the review shows, as JSON values, without the pasted texts."""
        names = [one["ProvReq"][:LONGEST_NAME] for one in self.content.get(DOMAINS, ())]
        return {
            "domains": names[:DOMAINS_SHOWN],
            "more": len(names[DOMAINS_SHOWN:]),
            "hosts": sorted(set(self.hosts.values()))[:DOMAINS_SHOWN],
            "start": SENT_DAY.sub(r"\1-\2-\3", self.content.get(START, ""))[:LONGEST_NUMBER],
            "volume": self.content.get(VOLUME, "")[:LONGEST_NUMBER],
        }


@dataclass
class TrialSheet:
    """The trials of a sheet. If its header or layout is wrong, there are `faults` and no entries."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_entries(sheet: Sheet) -> TrialSheet:
    """Returns the trials below the header, which is the first row with data.

    Raises WorkbookError if there are no data except our own remarks. Also raises it if all trials together have more
    domains than one order may have, since they are entered in one transaction.
    """
    (top, header), *rows = sheet.rows
    columns, faults = _read_header(top, header, used=max(len(cells) for _number, cells in rows))
    faults += [Fault(where, "", "column_merged") for where in sheet.merged]
    if faults:
        return TrialSheet(faults=faults)
    rows = [(number, cells) for number, cells in rows if _has_data(cells, columns)]
    if not rows:
        raise WorkbookError("book_empty")
    words = {member: {str(name): code for code, name in names.items()} for member, names in CODED.items()}
    words[ATTRIBUTION] = dict(Province.objects.values_list("name", "letters"))
    entries = [_read_row(number, cells, columns, words) for number, cells in rows]
    if sum(len(entry.content.get(DOMAINS, ())) for entry in entries) > MAX_DOMAINS:
        raise WorkbookError("book_domains", most=MAX_DOMAINS)
    return TrialSheet(entries)


def _has_data(cells: list[Cell], columns: Iterable[Column | None]) -> bool:
    return any(cell.text for column, cell in zip(columns, cells, strict=False) if column)


def _read_header(top: int, header: list[Cell], used: int) -> tuple[list[Column | None], list[Fault]]:
    """Returns the column of each header cell, and the faults. A header cell may be blank only if its column has no
    data."""
    columns: list[Column | None] = []
    faults = []
    for place in range(max(len(header), used)):
        text = header[place].text if place < len(header) else ""
        found = column_of(text)
        if found in columns and found:
            faults.append(Fault(cell_name(place, top), found.member, "column_twice"))
        elif found is None and not is_remarks(text):
            faults.append(Fault(cell_name(place, top), text[:64], "column_unknown"))
        columns.append(found)
    missing = [one for one in trial_columns().values() if one.required and one not in columns]
    return columns, faults + [Fault("", one.member, "column_missing") for one in missing]


def _read_row(number: int, cells: list[Cell], columns: Iterable[Column | None], words: dict[str, dict]) -> Entry:
    """Returns the entry of a row. `words`: the members that may be typed by name, {member: {name: code}}."""
    named = [(column, cell_name(place, number)) for place, column in enumerate(columns) if column]
    where = {column.member: name for column, name in named}
    found = {column.member: cell for column, cell in zip(columns, cells, strict=False) if column}
    texts = {member: cell.text for member, cell in found.items()}
    texts |= {member: codes[texts[member]] for member, codes in words.items() if texts.get(member) in codes}
    entry = Entry.of_texts(texts, row=number, cells=where)
    for member, cell in found.items():
        if cell.kind in WRONG_KINDS:
            entry.add_fault(member, WRONG_KINDS[cell.kind])
        elif cell.kind == "d" and not trial_columns()[member].is_day:
            entry.add_fault(member, "cell_made_a_day")
        elif trial_columns()[member].is_day and cell.kind == "n" and (day := _counted_day(cell.text)):
            entry.add_fault(member, "cell_day_number", day=f"{day:%Y%m%d}")
    return entry


def column_of(header: str) -> Column | None:
    return next((one for one in trial_columns().values() if header.lower() in one.names), None)


def is_remarks(header: str) -> bool:
    """Returns True for the header of the remarks column in an annotated copy. The text may end with faults of the
    header."""
    with override("zh-hans"):
        return header.partition("\n")[0] in {str(REMARKS), REMARKS_IN_ENGLISH}


def _read_domains(text: str) -> tuple[list[str], dict[str, str]]:
    """Returns the domains in a text, and {pasted text: host} for the domains that were pasted as URLs or the like.

    A URL adds its host, unless the host is typed elsewhere in the text or an earlier URL added it. Names that are typed
    twice stay in the result, since they are a fault.
    """
    typed = [(part, _host_in(part)) for part in BETWEEN_DOMAINS.split(text) if part]
    names, there = [], {domain_key(host) for part, host in typed if part == host}
    for part, host in typed:
        if part == host or domain_key(host) not in there:
            names.append(host)
            there.add(domain_key(host))
    return names, {part: host for part, host in typed if part != host}


def _host_in(text: str) -> str:
    """Returns the host in a URL or the like. Other texts, such as host names, are returned unchanged."""
    meant = domain_meant(text) if domain_fault(text) else text
    return text if domain_fault(meant) else meant


def _in_digits(text: str) -> str:
    """Converts a day to the format of BBOSS's messages, YYYYMMDD. Other text is returned unchanged."""
    if match := DAY.fullmatch(text):
        year, month, day = (part for part in match.groups() if part and part.isdigit())
        return f"{year}{month:0>2}{day:0>2}"
    return text


def _counted_day(text: str) -> datetime.date | None:
    """Returns the day of an Excel day number, in a cell that has lost its date format. Returns None if the number can't
    be a day."""
    return from_excel(int(text)) if text.isdigit() and int(text) in DAY_NUMBERS else None


def cell_name(place: int, row: int) -> str:
    """Returns a cell's name, such as `C5`. `place`: its column, from 0."""
    return f"{get_column_letter(place + 1)}{row}"
