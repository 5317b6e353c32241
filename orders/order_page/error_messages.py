"""What went wrong in a reader's language: our own English of the logs in words, a partner's words as they are. Pure."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.masks import mask_text
from orders.refusal_causes import BEFORE

FILE = re.compile(r"(\S+\.xlsx): (.*)", re.DOTALL)
FILES = re.compile(r"; (?=\S+\.xlsx: )")
SILENT = re.compile(
    r"answered HTTP \d+( with a body that is not a JSON object)?|answered without a code|answered more than \d+ bytes"
    r"|answered a result that is not a list of objects|(no complete answer in time|no connection|no answer within \d+ s"
    r"|the connection broke before the answer was complete)( \(.*\))?|the payload could not be built; see the log"
    r"|nobody to send to: no contact has a mail address",
    re.DOTALL,
)
"""What the cause beside it says already."""
DIFFERS = re.compile(r"; (?=(?:domains|service|start): BPM has )")
DIFFERING = {
    "domains": gettext_lazy("domains: BPM has %(there)s, now %(here)s"),
    "service": gettext_lazy("service: BPM has %(there)s, now %(here)s"),
    "start": gettext_lazy("start: BPM has %(there)s, now %(here)s"),
}
WORDS = [
    (r"the name must be (?P<form>\S+) with a real time",
     gettext_lazy("the name must be %(form)s with a real time")),
    (r"(?P<size>\d+) bytes, at most \d+ \(20 MiB\) are allowed",
     gettext_lazy("%(size)s bytes; at most 20 MiB are allowed")),
    (r"more than 100 MiB unpacked, or it could not be opened within (?P<seconds>\d+) s and 300 MiB of memory",
     gettext_lazy("more than 100 MiB unpacked, or it could not be opened within %(seconds)s s and 300 MiB of memory")),
    (r"it does not open as xlsx, or it carries macros", gettext_lazy("it does not open as xlsx, or it carries macros")),
    (r"it is protected by a password \(or an old \.xls\): save it as xlsx without one",
     gettext_lazy("it is protected by a password, or an old .xls: save it as xlsx without one")),
    (r"its first sheet has no data row below the heading",
     gettext_lazy("its first sheet has no data row below the heading")),
    (r"it is no regular file", gettext_lazy("it is no regular file")),
    (r"it is no xlsx file \(no zip signature\)", gettext_lazy("it is no xlsx file")),
    (r"it is a symbolic link; put the file itself into the folder",
     gettext_lazy("it is a symbolic link; put the file itself into the folder")),
    (r"no such file in the attachment folder", gettext_lazy("no such file in the attachment folder")),
    (r"it can't be read: (?P<why>.*)", gettext_lazy("it can't be read: %(why)s")),
    (r"the worker died( or lost its lease|; the order is undone)",
     gettext_lazy("the worker stopped before the answer came")),
    (r"the mail can't be written: (?P<why>.*)", gettext_lazy("the mail can't be written: %(why)s")),
    (r"withdrawn", gettext_lazy("it was withdrawn")),
    (r"rejected", gettext_lazy("BPM rejected it")),
    (r"given up", gettext_lazy("staff gave the step up")),
    (r"(?P<number>\S+): later orders rest on it", gettext_lazy("later orders rest on %(number)s")),
    (r"longer than (?P<most>\d+) characters", gettext_lazy("longer than %(most)s characters")),
    (r"longer than (?P<most>\d+) characters when written in ASCII",
     gettext_lazy("longer than %(most)s characters when written in ASCII")),
    (r"holds a character that only looks like an ASCII letter",
     gettext_lazy("holds a character that only looks like an ASCII letter")),
    (r"a wildcard is not allowed", gettext_lazy("a wildcard is not allowed")),
    (r"ends in a dot", gettext_lazy("ends in a dot")),
    (r"has only one label", gettext_lazy("has only one label")),
    (r"is an address, not a name", gettext_lazy("is an address, not a name")),
    (r"has an empty label", gettext_lazy("has an empty label")),
    (r"has a label that is no valid internationalized name",
     gettext_lazy("has a label that is no valid internationalized name")),
    (r"has a label longer than 63 characters", gettext_lazy("has a label longer than 63 characters")),
    (r"may only hold letters, digits and hyphens, no hyphen at an end of a label",
     gettext_lazy("may only hold letters, digits and hyphens, no hyphen at an end of a label")),
]  # fmt: skip


def said(error: str) -> str:
    """A step's or attempt's error for the page; empty where the cause beside it says it all.

    Phones and mails in it are masked: partners quote what they were sent.
    """
    if len(files := FILES.split(error)) > 1:
        return _("; ").join(map(said, files))
    named = FILE.fullmatch(error)
    if named:
        return _("%(file)s: %(what)s") % {"file": named[1], "what": _in_words(named[2])}
    return _in_words(error)


def _in_words(error: str) -> str:
    parts = [_difference(part) for part in DIFFERS.split(error)] if ": BPM has " in error else [""]
    if all(parts):
        return _("; ").join(parts)
    if SILENT.fullmatch(error):
        return ""
    for pattern, words in WORDS:
        if found := re.fullmatch(pattern, error, re.DOTALL):
            return str(words) % found.groupdict()
    return mask_text(BEFORE.sub("", error, count=1) if BEFORE.match(error) else error)


def _difference(part: str) -> str:
    """A member that BPM has otherwise, in words; empty for what does not tell of one."""
    name, _has, values = part.partition(": BPM has ")
    there, now, here = values.partition(", now ")
    return DIFFERING[name] % {"there": _start(there), "here": _start(here)} if name in DIFFERING and now else ""


def _start(text: str) -> str:
    return _("At once") if text == "at once" else text
