"""Files that end in .xls, if the partners' profile accepts them (contract 7.1)."""

import struct

import pytest

from integrations.partners.profile import read_profile
from orders.attachments.check import check_files, is_named_right, why_never_right
from tests.files import books

ORDER = "100A230920170126001"
OLD = f"{ORDER}_50004020027_20230920170126.xls"
NEW = f"{OLD}x"
LOCKED = struct.pack("<HHI", 0x002F, 4, 0)
BOTH = '[files]\nextensions = [".xlsx", ".xls"]'


def judged(folder, name, data) -> str:
    books.write(folder, name, data)
    found = check_files(order_number=ORDER, files={"info_security": name})
    return found[0].code if found else "right"


CONTENTS = {
    "a workbook": (books.old_book, OLD, "right"),
    "an older one": (lambda: books.old_book(name="Book"), OLD, "right"),
    "a small one": (lambda: books.old_book(size=900), OLD, "right"),
    "with a password": (lambda: books.old_book(LOCKED), OLD, "encrypted"),
    "a new one with a password": (lambda: books.old_book(name="EncryptedPackage"), OLD, "encrypted"),
    "a document": (lambda: books.old_book(name="WordDocument"), OLD, "not_xlsx"),
    "half of one": (lambda: books.old_book()[:2048], OLD, "not_xlsx"),
    "a page": (lambda: b"<html><table></table></html>", OLD, "not_xlsx"),
    "a new one under an old name": (books.book, OLD, "right"),
    "an old one under a new name": (books.old_book, NEW, "encrypted"),
    "a new one": (books.book, NEW, "right"),
}


@pytest.mark.parametrize(("make", "name", "code"), CONTENTS.values(), ids=CONTENTS)
def test_contents(folder, settings, make, name, code):
    settings.PARTNERS = read_profile(BOTH)
    assert judged(folder, name, make()) == code


def test_only_what_the_profile_names(folder, settings):
    assert judged(folder, OLD, books.old_book()) == "bad_name"
    settings.PARTNERS = read_profile('[files]\nextensions = [".xls"]')
    assert not is_named_right(NEW, ORDER, "info_security")
    assert not is_named_right(OLD.replace(".xls", ".XLS"), ORDER, "info_security")
    assert not is_named_right(OLD.replace(".xls", "_xls"), ORDER, "info_security")
    assert judged(folder, OLD, books.old_book()) == "right"


def test_an_upload_may_be_one(settings):
    start = books.old_book()[:4]
    assert why_never_right(start, 5000)
    settings.PARTNERS = read_profile(BOTH)
    assert why_never_right(start, 5000) is None
