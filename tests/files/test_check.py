"""What the check finds in good, wrong and hostile files (contract 3.7)."""

import errno
import os
import resource
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orders.attachments import check, xlsx
from orders.attachments.check import FileProblem, check_files
from orders.attachments.xlsx import CPU_SECONDS, ProbeError
from tests.files import books

ORDER = "100A230920170126001"
NAME = f"{ORDER}_50004020027_20230920170126.xlsx"
TABLE = f"{ORDER}_50004020028_20230920170126.xlsx"
BUSI = f"{ORDER}_50004020030_20230920170126.xlsx"
CELLS = '<row r="{0}"><c r="A{0}" t="s"><v>{1}</v></c></row>'
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def code_of(name=NAME, kind="info_security"):
    found = check_files(order_number=ORDER, files={kind: name})
    return found[0].code if found else "right"


def judged(folder, data):
    books.write(folder, NAME, data)
    return code_of()


CONTENTS = {
    "a good file": (books.book, "right"),
    "data far below": (lambda: books.book(["域名"], *[[None]] * 500, ["a.example.com"]), "right"),
    "a link to another file": (books.with_external_link, "right"),
    "values in place": (lambda: books.sheet('<row><c t="inlineStr"><is><t>a</t></is></c></row>' * 2), "right"),
    "a formula without a value": (lambda: books.sheet(books.HEADING + "<row><c><f>A1+1</f></c></row>"), "right"),
    "shared strings": (lambda: books.shared(["a", "b"], CELLS.format(1, 0) + CELLS.format(2, 1)), "right"),
    "stored, not packed": (lambda: books.packed(books.parts(books.book()), 0), "right"),
    "only a heading": (lambda: books.book(["域名", "备案号"]), "empty"),
    "nothing": (lambda: books.book([None]), "empty"),
    "a heading and blanks": (lambda: books.shared(["a", "  ", ""], CELLS.format(1, 0) + CELLS.format(2, 1)), "empty"),
    "blank at the very end": (lambda: books.shared(["a", ""], CELLS.format(1, 0) + CELLS.format(2, 1)), "empty"),
    "rows with white space": (lambda: books.book(["域名"], [" "], ["\t"]), "empty"),
    "a million empty rows": (lambda: books.sheet(books.HEADING + "<row/>" * 1_000_000), "empty"),
    "data after a million": (lambda: books.sheet(books.HEADING + "<row/>" * 1_000_000 + books.DATA), "right"),
    "a million rows": (lambda: books.sheet('<row r="1"><c r="A1"/></row>' * 1_000_000), "empty"),
    "no bytes": (lambda: b"", "not_xlsx"),
    "text": (lambda: b"hello, this is no workbook", "not_xlsx"),
    "half a file": (lambda: books.book()[:2000], "not_xlsx"),
    "its last byte missing": (lambda: books.book()[:-1], "not_xlsx"),
    "some other zip": (lambda: books.packed({"readme.txt": b"hello"}), "not_xlsx"),
    "an empty zip": (lambda: books.packed({}), "not_xlsx"),
    "no workbook in it": (lambda: books.packed({books.TYPES: b"<Types/>"}), "not_xlsx"),
    "no sheet": (lambda: books.changed({"xl/workbook.xml": f"<workbook {books.MAIN}/>".encode()}), "not_xlsx"),
    "a broken sheet": (lambda: books.changed({books.SHEET: b"<worksheet><sheetData>"}), "not_xlsx"),
    "a broken part": (lambda: books.changed({"xl/workbook.xml": b"<workbook"}), "not_xlsx"),
    "damaged": (lambda: books.book().replace(b"PK\x03\x04", b"PK\x03\x05", 2), "not_xlsx"),
    "a macro": (lambda: books.changed({"xl/vbaProject.bin": b"x"}), "not_xlsx"),
    "a macro's content type": (books.macro_by_type, "not_xlsx"),
    "an entity bomb in the sheet": (lambda: books.sheet("<row><c><v>&b;</v></c></row>", ENTITIES), "not_xlsx"),
    "a strange packing": (lambda: books.edited_directory(books.book(), books.unsupported_method), "not_xlsx"),
    "password (office)": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000), "encrypted"),
    "password (zip)": (lambda: books.edited_directory(books.book(), books.mark_encrypted), "encrypted"),
    "a bomb": (lambda: books.changed({"xl/media/a.png": bytes(101 * 1024 * 1024)}), "too_large"),
    "a bomb in many parts": (
        lambda: books.changed({f"xl/media/{n}.png": bytes(21 * 1024 * 1024) for n in range(5)}),
        "too_large",
    ),
    "a bomb that lies": (
        lambda: books.edited_directory(books.changed({"xl/a.bin": bytes(150 * 1024 * 1024)}), books.claim_small),
        "too_large",
    ),
    "a small lie": (
        lambda: books.edited_directory(books.changed({"xl/a.bin": bytes(2 * 1024 * 1024)}), books.claim_small),
        "too_large",
    ),
    "thousands of parts": (lambda: books.changed({f"xl/{n}": b"" for n in range(6000)}), "too_large"),
    "a part that eats memory": (
        lambda: books.changed({"xl/workbook.xml": b"<workbook>" + b'<a b=""/>' * 2_000_000 + b"</workbook>"}),
        "too_large",
    ),
}


@pytest.mark.parametrize("make, code", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.sampled
def test_contents(folder, make, code):
    data, before = make(), processor_seconds()
    assert judged(folder, data) == code
    assert processor_seconds() - before < CPU_SECONDS


def processor_seconds():
    """Returns the processor time that the checking processes have used so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.whole
def test_huge_shared_strings_are_read_in_pieces(folder):
    rows = CELLS.format(1, 0) + CELLS.format(2, 1)
    data = books.shared(["x" * 30_000_000, "y" * 30_000_000, *["z"] * 500_000], rows)
    assert judged(folder, data) == "right"


def test_too_many_bytes(folder):
    path = books.write(folder, NAME, books.book())
    os.truncate(path, 20 * 1024 * 1024 + 1)
    assert code_of() == "too_large"


@pytest.mark.whole
def test_twenty_mib_are_allowed(folder):
    noise = os.urandom(20 * 1024 * 1024 - 20_000)
    assert judged(folder, books.changed({"xl/media/a.png": noise})) == "right"


@pytest.mark.parametrize(
    "name",
    [
        "信安.xlsx",
        TABLE,
        NAME.replace(ORDER, "100A230920170126002"),
        NAME.replace("20230920170126", "20230931170126"),
        NAME.replace("20230920170126", "20230920246060"),
        NAME.replace("20230920170126", "2023092017012"),
        NAME.replace("20230920170126", "２０２３０９２０１７０１２６"),
        NAME.replace(".xlsx", ".xls"),
        NAME.replace(".xlsx", ".XLSX"),
        NAME + "\n",
        NAME + "\0",
        f"../{NAME}",
        f"/etc/{NAME}",
        f"sub/{NAME}",
        f"..\\{NAME}",
        "..",
    ],
)
def test_bad_names(folder, name):
    (folder / "sub").mkdir()
    for place in (folder, folder.parent, folder / "sub"):
        books.write(place, NAME, books.book())
    books.write(folder, TABLE, books.book())
    assert code_of(name) == "bad_name"


def test_an_order_number_is_no_pattern(folder):
    found = check_files(order_number="1.0", files={"info_security": "1x0_50004020027_20230920170126.xlsx"})
    assert [one.code for one in found] == ["bad_name"]


def test_missing(folder):
    assert check_files(order_number=ORDER, files={"info_security": NAME}) == [
        FileProblem("missing", NAME, "no such file in the attachment folder")
    ]


def test_no_folder(folder):
    folder.rmdir()
    assert code_of() == "missing"


def test_no_files_named(folder):
    assert check_files(order_number=ORDER, files={}) == []
    assert check_files(order_number=ORDER, files={"info_security": ""}) == []


@pytest.mark.parametrize("target", ["outside.xlsx", "attachments/inside.xlsx", "nowhere.xlsx"])
def test_links_are_not_followed(folder, target):
    books.write(folder.parent, "outside.xlsx", books.book())
    books.write(folder, "inside.xlsx", books.book())
    (folder / NAME).symlink_to(folder.parent / target)
    assert code_of() == "bad_name"


def test_the_folder_itself_may_be_a_link(folder, settings):
    books.write(folder, NAME, books.book())
    link = folder.parent / "link"
    link.symlink_to(folder)
    settings.ATTACHMENT_DIR = link
    assert code_of() == "right"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])  # the check does not wait for data from the pipe
def test_a_folder_or_a_pipe_of_that_name(folder, make):
    make(folder / NAME)
    assert code_of() == "not_xlsx"


@pytest.mark.whole
def test_every_wrong_file_in_the_messages_order(folder):
    books.write(folder, NAME, books.book())
    books.write(folder, BUSI, books.book(["域名"]))
    files = {"busi_info": BUSI, "info_security_table": TABLE, "info_security": NAME}
    found = check_files(order_number=ORDER, files=files)
    assert [(one.file, one.code) for one in found] == [(TABLE, "missing"), (BUSI, "empty")]
    for name in (TABLE, BUSI):
        books.write(folder, name, books.book())
    assert check_files(order_number=ORDER, files=files) == []


@pytest.fixture
def endless(monkeypatch, tmp_path):
    """Replaces the program that reads a file by one that never ends."""
    program = tmp_path / "probe.py"
    program.write_text("while True: pass")
    monkeypatch.setattr(xlsx, "PROGRAM", program)


@pytest.mark.parametrize("others, found", [({}, None), ({"busi_info": BUSI}, ["", "missing"])])
def test_a_check_that_ran_out_of_our_time_says_nothing_about_the_file(folder, monkeypatch, endless, others, found):
    """If another file is wrong, the file that was not checked gets no finding. If there is no other file, the check
    has no result at all.
    """
    monkeypatch.setattr(check, "SECONDS_FOR_ALL", 0.2)
    books.write(folder, NAME, books.book())
    files = {"info_security": NAME} | others
    if found is None:
        with pytest.raises(ProbeError, match="no verdict within"):
            check_files(order_number=ORDER, files=files)
    else:
        assert [one.code for one in check_files(order_number=ORDER, files=files)] == found


@pytest.mark.parametrize("ending, said", [(-9, ""), (-24, ""), (1, "MemoryError\n"), (0, "")])
def test_a_probe_that_the_machine_ended_says_nothing_about_the_file(folder, monkeypatch, ending, said):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, ending, "", said))
    with pytest.raises(ProbeError):
        judged(folder, books.book())


@pytest.mark.parametrize("code", [errno.ENOMEM, errno.EAGAIN])
def test_a_machine_that_starts_no_process_says_nothing_about_the_file(folder, monkeypatch, code):
    def fails(*_args, **_more):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(ProbeError):
        judged(folder, books.book())


@pytest.mark.parametrize("code, verdict", [(errno.EMFILE, None), (errno.EIO, None), (errno.EACCES, "missing")])
def test_a_file_that_this_machine_can_t_open_now_is_not_missing(folder, monkeypatch, code, verdict):
    def fails(*_args, **_more):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(check.os, "open", fails)
    if verdict:
        assert code_of() == verdict
    else:
        with pytest.raises(ProbeError):
            code_of()


def test_a_file_that_takes_too_much_computing_is_too_large(folder, monkeypatch, tmp_path):
    """The program that reads the file reports by itself that its processor time is used up. So the desk can
    distinguish a hostile file from a busy machine.
    """
    program = tmp_path / "probe.py"
    text = (
        Path(xlsx.PROGRAM).read_text().replace("CPU_SECONDS, LAST_SECONDS = 8, 4", "CPU_SECONDS, LAST_SECONDS = 1, 9")
    )
    program.write_text(text.replace("    check_package(file)\n    reader", "    while True: pass\n    reader", 1))
    monkeypatch.setattr(xlsx, "PROGRAM", program)
    assert judged(folder, books.book()) == "too_large"


def test_at_most_two_files_are_opened_at_once(folder, monkeypatch):
    """The limit is for the whole machine: two locks in STATE_DIR, each on an open file."""
    books.write(folder, NAME, books.book())
    now, most, guard = [0], [0], threading.Lock()

    def slowly(*_args, **_more):
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.2)
        with guard:
            now[0] -= 1
        return {"verdict": "right"}

    monkeypatch.setattr(check, "ask", slowly)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _n: code_of(), range(8)))
    assert (found, most) == (["right"] * 8, [2])


def test_who_gets_no_turn_in_time_has_not_looked(folder, monkeypatch):
    monkeypatch.setattr(check, "lock_is_free", lambda *_args: False)
    monkeypatch.setattr(check, "SECONDS_FOR_ALL", 0.2)
    with pytest.raises(ProbeError, match="other files"):
        judged(folder, books.book())


def test_a_probe_that_breaks_says_nothing_about_the_file(folder, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, "", "ImportError"))
    with pytest.raises(ProbeError, match="ImportError"):
        judged(folder, books.book())


def test_no_descriptor_is_left_open(folder):
    books.write(folder, NAME, books.book(["域名"]))
    before = len(os.listdir("/dev/fd"))
    code_of()
    assert len(os.listdir("/dev/fd")) == before
