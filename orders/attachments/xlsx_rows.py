"""Prints the first rows of an xlsx file's first sheet as JSON: a list of lists of text.

It runs as a process of its own (`python -I orders/attachments/xlsx_rows.py < FILE`) under the limits of `xlsx_probe`,
like the check: somebody may have exchanged the file since.
"""

import itertools
import json
import pathlib
import sys

ROWS, COLUMNS, CHARACTERS = 20, 20, 200


def read_rows(file) -> list[list[str]]:
    """At most 20 rows of 20 cells of 200 characters. Formulas stay as they are written."""
    import openpyxl  # after the limits are set

    book = openpyxl.load_workbook(file, read_only=True, keep_links=False)
    rows = book.worksheets[0].iter_rows(max_row=ROWS, max_col=COLUMNS, values_only=True)
    return [[_text(cell) for cell in row] for row in itertools.islice(rows, ROWS)]


def _text(cell) -> str:
    return "" if cell is None else str(cell)[:CHARACTERS]


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from xlsx_probe import limit_resources

    limit_resources()
    print(json.dumps(read_rows(sys.stdin.buffer)))
