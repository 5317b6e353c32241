"""The Chinese pages for operators have the same commands, outputs, settings and tables as the English ones."""

import pathlib
import re
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAIRS = {
    "README.md": "README.zh-CN.md",
    "deploy/README.md": "docs/zh/deploy.md",
    "docs/accounts.md": "docs/zh/accounts.md",
    "docs/operations.md": "docs/zh/operations.md",
    "docs/partners.md": "docs/zh/partners.md",
    "docs/read-api.md": "docs/zh/read-api.md",
    "docs/restore.md": "docs/zh/restore.md",
    "docs/settings.md": "docs/zh/settings.md",
}
FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
PAGES = sorted(path for folder in (".", "bench", "deploy", "docs/**") for path in ROOT.glob(f"{folder}/*.md"))
REMARK = re.compile(r"(^|\s+)#\s.*$", re.MULTILINE)


class Section(NamedTuple):
    """A section of a page. `level` is the level of its heading, and `blocks` are its fenced blocks without remarks."""

    level: int
    blocks: list[str]
    codes: set[str]
    rows: int
    points: int


def sections_of(path: str) -> list[Section]:
    text = (ROOT / path).read_text(encoding="utf-8")
    fences = FENCE.findall(text)
    parts = re.split(r"^(#+) .*$", FENCE.sub("\0", text), flags=re.MULTILINE)[1:]
    found = []
    for marks, body in zip(parts[::2], parts[1::2], strict=True):
        blocks = [REMARK.sub("", fences.pop(0)) for _ in range(body.count("\0"))]
        blocks = [block for block in blocks if "──" not in block]  # without drawings, whose texts are translated
        rows = len(re.findall(r"^ *\|", body, re.MULTILINE))
        points = len(re.findall(r"^ *(?:-|\d+\.) ", body, re.MULTILINE))
        codes = {" ".join(code.split()) for code in CODE.findall(body)}
        found.append(Section(len(marks), blocks, codes, rows, points))
    return found


@pytest.mark.parametrize("english, chinese", PAIRS.items())
def test_both_languages_say_the_same(english, chinese):
    ours, theirs = sections_of(english), sections_of(chinese)
    assert [section.level for section in theirs] == [section.level for section in ours]
    differing = [
        (number, name, one, other)
        for number, pair in enumerate(zip(ours, theirs, strict=True))
        for name, one, other in zip(Section._fields, *pair, strict=True)
        if one != other
    ]
    assert differing == []


@pytest.mark.parametrize("here", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_to_a_page_and_a_heading_or_a_picture(here):
    broken = []
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", here.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (here.parent / path).resolve() if path else here
        text = file.read_text(encoding="utf-8") if file.suffix == ".md" and file.exists() else ""
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        if not file.exists() or (anchor and anchor not in anchors):
            broken.append(target)
    assert broken == []
