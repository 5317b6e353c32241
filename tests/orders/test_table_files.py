"""Files of tables: text stays text, sheets have a limited length, and no value makes the file unreadable."""

import csv
import datetime
import tempfile

import openpyxl
import pytest

from orders.lists.csv_and_xlsx_cells import LONGEST_TEXT, clean
from orders.office.exports import table_files
from orders.office.exports.table_files import write_csv, write_xlsx

WHEN = datetime.datetime(2026, 11, 25, 14, 2, 3)


def xlsx(path, header, rows, **how):
    write_xlsx(path, header, rows, title="订单", **how)
    return openpyxl.load_workbook(path)


def values(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", "=", "#REF!", "#N/A", '=HYPERLINK("http://x")'])
def test_a_text_that_looks_like_a_formula_is_text(tmp_path, text):
    cell = xlsx(tmp_path / "t.xlsx", [text], [[text]]).active["A2"]
    assert (cell.value, cell.data_type) == (text, "s")


def test_numbers_days_and_times_stay_what_they_are(tmp_path):
    book = xlsx(tmp_path / "t.xlsx", list("abcd"), [[7, datetime.date(2026, 11, 25), WHEN, None]])
    assert values(book.active)[1] == [7, datetime.datetime(2026, 11, 25), WHEN, None]


def test_it_can_be_used_at_once(tmp_path):
    """Columns are as wide as their content, the bold header has filters, and the second sheet explains the columns."""
    rows = [["长" * 10, 7, WHEN], ["x" * 500, None, None], *([n] * 3 for n in range(5))]
    file = tmp_path / "t.xlsx"
    write_xlsx(file, ["客户", "数量", "时间"], iter(rows), title="订单", per_sheet=4, notes=lambda n: [["行数", n]])
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["订单", "说明", "订单 2"]
    assert values(book["说明"]) == [["行数", 7]]
    for name, last in (("订单", "C5"), ("订单 2", "C4")):
        sheet = book[name]
        assert (sheet.auto_filter.ref, sheet.freeze_panes) == (f"A1:{last}", "A2")
        assert [cell.font.bold for row in sheet["A1:C2"] for cell in row] == [True] * 3 + [False] * 3
        # with the margin of a cell
        assert [int(sheet.column_dimensions[letter].width) for letter in "ABC"] == [60, 8, 22]


@pytest.mark.parametrize("rows, sheets", [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_a_further_sheet_begins_with_the_header(tmp_path, rows, sheets):
    book = xlsx(tmp_path / "t.xlsx", ["编号"], ([n] for n in range(rows)), per_sheet=3)
    assert [sheet.max_row - 1 for sheet in book] == sheets
    assert [sheet["A1"].value for sheet in book] == ["编号"] * len(sheets)
    assert [row[0] for sheet in book for row in values(sheet)[1:]] == list(range(rows))


@pytest.mark.parametrize("text", ["<r><t>x</t></r>", "<r></r>", "<r>&</r>", "<r>", " a ", "a\n\tb", "a\rb", ""])
def test_a_text_that_looks_like_a_sheet_s_own_markup_is_text(tmp_path, text):
    assert xlsx(tmp_path / "t.xlsx", ["a", "b"], [[text, 1]]).active["A2"].value == text.replace("\r", "\n")


@pytest.mark.parametrize("text", ["a\0b", "\x0b", "\x1f", "\ud800", "\ufffe\uffff"])
def test_what_xml_cannot_hold_is_replaced(tmp_path, text):
    found = xlsx(tmp_path / "t.xlsx", ["a"], [[text]]).active["A2"].value
    assert found == clean(text)
    assert "\ufffd" in found


@pytest.mark.parametrize("text", ["甲" * 40_000, "😀" * 20_000, "a" * LONGEST_TEXT + "b"])
def test_a_long_text_is_cut_to_what_a_cell_holds(text):
    found = clean(text)
    assert len(found.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert found.endswith("…")
    assert text.startswith(found[:-1])


def test_a_text_that_just_fits_stays_whole():
    assert clean("甲" * LONGEST_TEXT) == "甲" * LONGEST_TEXT


def test_csv(tmp_path):
    path = tmp_path / "t.csv"
    write_csv(path, ["甲", "=乙"], [["=1", "+86"], ["-1", "@a"], [-1, WHEN], ["a,\nb", None], ["'x", 'q"']])
    assert path.read_bytes().startswith("\ufeff甲".encode())
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["甲", "'=乙"],
        ["'=1", "'+86"],
        ["'-1", "'@a"],
        ["-1", "2026-11-25 14:02:03"],
        ["a,\nb", ""],
        ["'x", 'q"'],
    ]


def test_sheets_lie_beside_the_file_until_it_is_whole(tmp_path, monkeypatch):
    """The parts of sheets are stored beside the file. So nothing of a killed process is left in another folder, and
    only one disk has to be large enough.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(table_files, "MEASURED", 0)
    seen, sheets = [], ".t.xlsx.sheets"

    def rows():
        for number in range(4):
            yield [number]
            seen.append((sorted(path.name for path in tmp_path.iterdir()), len([*(tmp_path / sheets).iterdir()])))

    write_xlsx(tmp_path / "t.xlsx.part", ["a"], rows(), title="x", per_sheet=3)
    assert seen[-1] == ([sheets, "t.xlsx.part"], 2)
    assert [path.name for path in tmp_path.iterdir()] == ["t.xlsx.part"]


def test_nothing_is_left_behind_by_rows_that_fail(tmp_path):
    def rows():
        yield [1]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        write_xlsx(tmp_path / "t.xlsx", ["a"], rows(), title="x")
    assert [path.name for path in tmp_path.iterdir()] == ["t.xlsx"]


@pytest.mark.parametrize(
    "text",
    [
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        " =1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(1)",
        "﹦1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        " \t\u3000＝1",
    ],
)
def test_csv_texts_that_a_spreadsheet_may_take_for_a_formula(tmp_path, text):
    path = tmp_path / "t.csv"
    write_csv(path, [text], [[text, "a=1", "2023-09-20", " -", "…"]])
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [[f"'{text}"], [f"'{text}", "a=1", "2023-09-20", "' -", "…"]]
