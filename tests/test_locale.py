"""The Chinese catalogue is complete, and the compiled file matches the source."""

import gettext
import pathlib
import re

import polib
import pytest
from django.conf import settings
from django.utils import translation

from tests.factories import OrderFactory

FOLDER = pathlib.Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES"
ENTRIES = polib.pofile(str(FOLDER / "django.po"))
HOLE = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")


def texts(entry):
    """All translations of an entry, one for each plural form."""
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def looked_up(compiled, entry):
    """What the compiled catalogue says, in the entry's context if it has one."""
    return compiled.pgettext(entry.msgctxt, entry.msgid) if entry.msgctxt else compiled.gettext(entry.msgid)


def test_every_entry_is_translated():
    assert [entry.msgid for entry in ENTRIES if entry.fuzzy or not all(texts(entry))] == []


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
