"""Makes workbooks for tests. openpyxl makes the good ones. Hostile ones are made by changing the parts of a good
one.
"""

import io
import pathlib
import struct
import zipfile
from collections.abc import Callable

import openpyxl

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET, STRINGS, TYPES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "[Content_Types].xml"
MACRO_TYPE = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
PLAIN_TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
STRINGS_TYPE = (
    '<Override PartName="/xl/sharedStrings.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
HEADING, DATA = '<row r="1"><c r="A1"><v>1</v></c></row>', '<row r="9"><c r="A9"><v>2</v></c></row>'


def book(*rows: list) -> bytes:
    """Returns a workbook with these rows in its first sheet. Without rows it has a heading and one row of data."""
    workbook = openpyxl.Workbook()
    for row in rows or (["域名", "备案号"], ["a.example.com", "京ICP备1号"]):
        workbook.active.append(row)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def parts(data: bytes) -> dict[str, bytes]:
    """Returns the parts of a package (zip file) by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Returns a package of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def changed(more: dict[str, bytes]) -> bytes:
    """Returns the good workbook with some parts added or replaced."""
    return packed(parts(book()) | more)


def sheet(rows: str, before: str = "") -> bytes:
    """Returns the good workbook with these rows, given as XML, in its first sheet."""
    return changed({SHEET: f"{before}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>".encode()})


def shared(texts: list[str], rows: str) -> bytes:
    """Returns the good workbook with these shared strings, and with rows (XML) that may refer to them."""
    items = "".join(f"<si><t xml:space='preserve'>{text}</t></si>" for text in texts)
    return changed(
        {
            SHEET: f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>".encode(),
            STRINGS: f"<sst {MAIN}>{items}</sst>".encode(),
            TYPES: parts(book())[TYPES].replace(b"</Types>", f"{STRINGS_TYPE}</Types>".encode()),
        }
    )


def macro_by_type() -> bytes:
    """Returns a workbook whose content type is that of a workbook with macros."""
    types = parts(book())[TYPES]
    assert PLAIN_TYPE in types
    return changed({TYPES: types.replace(PLAIN_TYPE, MACRO_TYPE)})


def edited_directory(data: bytes, edit: Callable[[bytearray, int], None]) -> bytes:
    """Returns a package with an edited zip directory. `edit(all, offset)` is called for the directory record of each
    entry.
    """
    everything, place = bytearray(data), 0
    while (place := everything.find(b"PK\x01\x02", place)) >= 0:
        edit(everything, place)
        place += 4
    return bytes(everything)


def mark_encrypted(everything: bytearray, place: int) -> None:
    """Sets the flag of an encrypted entry."""
    everything[place + 8] |= 1


def claim_small(everything: bytearray, place: int) -> None:
    """Makes the directory say that the big part unpacks to one byte."""
    size = int.from_bytes(everything[place + 24 : place + 28], "little")
    if size > 1_000_000:
        everything[place + 24 : place + 28] = (1).to_bytes(4, "little")


def unsupported_method(everything: bytearray, place: int) -> None:
    """Sets a compression method that the format does not allow."""
    everything[place + 10 : place + 12] = (12).to_bytes(2, "little")


def with_external_link() -> bytes:
    """Returns a workbook with a link to another file, as Excel writes it for a formula that refers to another
    workbook.
    """
    found = parts(book())
    rels = "xl/_rels/workbook.xml.rels"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = f'<Relationship Id="rIdX" Type="{office}/externalLink" Target="externalLinks/externalLink1.xml"/>'
    link = f'<externalLink {MAIN}><externalBook xmlns:r="{office}" r:id="rId1"/></externalLink>'
    target = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{office}/externalLinkPath" Target="http://127.0.0.1:9/x.xlsx"'
        ' TargetMode="External"/></Relationships>'
    )
    references = f'<externalReferences xmlns:r="{office}"><externalReference r:id="rIdX"/></externalReferences>'
    return packed(
        found
        | {
            rels: found[rels].replace(b"</Relationships>", f"{relation}</Relationships>".encode()),
            "xl/workbook.xml": found["xl/workbook.xml"].replace(b"</sheets>", f"</sheets>{references}".encode()),
            "xl/externalLinks/externalLink1.xml": link.encode(),
            "xl/externalLinks/_rels/externalLink1.xml.rels": target.encode(),
        }
    )


def write(folder: pathlib.Path, name: str, data: bytes) -> pathlib.Path:
    """Puts a file into the folder."""
    path = folder / name
    path.write_bytes(data)
    return path


def old_book(records: bytes = b"", *, name: str = "Workbook", size: int = 8192) -> bytes:
    """Returns an .xls file: a compound file with a stream of `size` bytes, which begins with these records of a
    workbook.
    """
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    beginning, ending = struct.pack("<HHHHHHI", 0x0809, 12, 0x0600, 5, 0, 0, 0), struct.pack("<HH", 0x000A, 0)
    stream = (beginning + records + ending).ljust(size, b"\0")
    sectors = -(-len(stream) // 512)

    def entry(title: str, kind: int, start: int, length: int) -> bytes:
        named = title.encode("utf-16-le")
        head = (named + b"\0\0").ljust(64, b"\0") + struct.pack("<HBB", len(named) + 2, kind, 1)
        return head.ljust(116, b"\0") + struct.pack("<IQ", start, length)

    small = size < 4096
    root = entry("Root Entry", 5, 3 if small else end, sectors * 512 if small else 0)
    directory = root + entry(name, 2, 0 if small else 3, size) + entry("", 0, 0, 0) * 2
    chain = [*range(4, 3 + sectors), end]
    fat = [0xFFFFFFFD, end, end, *chain]
    pieces = -(-size // 64)
    small_fat = struct.pack(f"<{pieces}I", *range(1, pieces), end).ljust(512, b"\xff") if small else b"\xff" * 512
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    head += bytes(6) + struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 2 if small else end, int(small), end, 0)
    head += struct.pack("<109I", 0, *[free] * 108)
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(512, b"\xff")
    return head + table + directory + small_fat + stream.ljust(sectors * 512, b"\0")
