"""The Chinese catalogue is complete and agrees with the sources, and the compiled catalogue agrees with its source."""

import gettext
import pathlib
import re
import shutil

import polib
import pytest
from django.conf import settings
from django.utils import translation

from tests.admin.latin import LET_THROUGH, latin
from tests.factories import OrderFactory
from tests.sources import APPS, ROOT
from tests.tools.messages import CATALOGUE, write_catalogue

FOLDER = pathlib.Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES"
ENTRIES = polib.pofile(str(FOLDER / "django.po"))
HOLE = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")


def texts(entry):
    """Returns all translations of an entry, one for each plural form."""
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def name_of(entry):
    """Returns what identifies the entry: its context, its text and its plural text."""
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def looked_up(compiled, entry):
    """Returns the text of the entry in the compiled catalogue, in the entry's context if it has one."""
    return compiled.pgettext(entry.msgctxt, entry.msgid) if entry.msgctxt else compiled.gettext(entry.msgid)


def test_every_entry_is_translated():
    assert [entry.msgid for entry in ENTRIES if entry.fuzzy or not all(texts(entry))] == []


@pytest.mark.skipif(not shutil.which("xgettext"), reason="GNU gettext is not installed")
def test_the_catalogue_holds_what_the_sources_say(tmp_path):
    """`make messages` would neither add nor remove an entry. Other folders in the root, such as exports, make no
    difference.
    """
    for app in APPS:
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    (tmp_path / "exports" / "deep").mkdir(parents=True)
    (tmp_path / "exports" / "deep" / "other.py").write_text('_("not a text of ours")')
    write_catalogue(tmp_path)
    made = {name_of(entry) for entry in polib.pofile(str(tmp_path / CATALOGUE)) if not entry.obsolete}
    kept = {name_of(entry) for entry in ENTRIES}
    assert (made - kept, kept - made) == (set(), set()), "run `make messages`"


def test_a_section_of_the_menu_is_not_called_as_a_column():
    said = {entry.msgid: entry.msgstr for entry in ENTRIES}
    assert (said["Traces"], said["trace"]) == ("运行痕迹", "链路编号")


def test_staff_read_no_latin_word():
    """This checks all texts for staff, also errors and mails. Placeholders are removed first, because rows fill
    them.
    """
    shown = {entry.msgid: [re.sub(rf"{HOLE.pattern}|<[^>]*>", "", text) for text in texts(entry)] for entry in ENTRIES}
    assert {name: found for name, told in shown.items() if (found := latin(told))} == {}
    assert len(LET_THROUGH) <= 30


def test_translations_keep_the_holes():
    wrong = [
        entry.msgid
        for entry in ENTRIES
        for text in texts(entry)
        if set(HOLE.findall(text)) != set(HOLE.findall(entry.msgid_plural or entry.msgid))
    ]
    assert wrong == []


def test_the_compiled_catalogue_is_this_one():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert [e.msgid for e in ENTRIES if not e.msgid_plural and looked_up(compiled, e) != e.msgstr] == []
    plurals = [e for e in ENTRIES if e.msgid_plural]
    assert [e.msgid for e in plurals if compiled.ngettext(e.msgid, e.msgid_plural, 2) not in texts(e)] == []
    assert len(polib.mofile(str(FOLDER / "django.mo"))) == len([e for e in ENTRIES if not e.obsolete])


@pytest.mark.django_db
def test_staff_read_chinese(admin_client):
    OrderFactory()
    with translation.override("zh-hans"):
        text = admin_client.get("/admin/orders/order/").content.decode()
    assert "IBS 订单台" in text
    assert "订单号" in text
