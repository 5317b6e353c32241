"""Each file, folder, module and make target of ours that a document, docstring or comment names exists."""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import ROOT, source

README = ("README.md", "README.zh-CN.md")
NOT_OURS = {
    *("erased-orders.txt", "manifest.json", "numbers-entered-by-hand.txt", "numbers.txt", "order.json", "signed.json"),
    "sbom.cdx.json",  # files that a desk, a person or `make bundle` writes
    *("pg_hba.conf", "postgresql.conf", "set/", "orders.see_personal_data", "templates/manual/SLUG.html"),
    *("utils.py", "helpers.py"),  # names that no file of ours may have
}
ENDING = r"(?:conf|css|html|in|ini|js|json|jsonl|lua|md|mjs|mo|po|png|py|service|sh|sql|svg|timer|toml|txt|yaml|yml)"
FILE = re.compile(rf"(?:[\w.-]+/)*[\w.-]*\w\.{ENDING}")
IN_CODE = re.compile(r"(?<![\w./<{$*-])(?:[\w.-]+/)*[\w-]+\.(?:py|md|html|js)\b")
NAME = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
SPACES = re.compile(r"[\s,;()\[\]\"'=|，。、；：（）]+")
UNIT = re.compile(r"orders/(?:s|min|h)")
# names a row of django_migrations; the migration's file may have been squashed
MIGRATION = re.compile(r"[a-z]+\.\d{4}")
SETTING = re.compile(r"[A-Z_]+/")  # a folder or an address that a setting defines
RUN = re.compile(r"python -m ([\w.]+)")
TARGET = re.compile(r"(?:^|`)make ([a-z][\w-]*)")


@functools.cache
def top_folders() -> set[str]:
    """Returns the folders at the root of the repository, without those that git ignores."""
    ignored = set(re.findall(r"^/?([\w.-]+)/?$", source(".gitignore"), re.MULTILINE))
    return {one.name for one in ROOT.iterdir() if one.is_dir() and one.name[0] != "." and one.name not in ignored}


@functools.cache
def paths() -> set[str]:
    """Returns all files and folders as paths relative to the root."""
    below = [file for name in top_folders() for file in (ROOT / name).rglob("*") if "__pycache__" not in file.parts]
    at_root = [file for file in ROOT.iterdir() if file.is_file()]
    return top_folders() | {file.relative_to(ROOT).as_posix() for file in [*below, *at_root]}


@functools.cache
def ends() -> set[str]:
    """Returns each path and also its ends without the first folders, as in `orders/rules/steps.py` and `steps.py`."""
    return {path[at:] for path in (f"/{path}" for path in paths()) for at, letter in enumerate(path) if letter == "/"}


@functools.cache
def folder_names() -> set[str]:
    return {part for path in paths() for part in path.split("/")[:-1]} | top_folders()


def is_there(name: str) -> bool:
    return any(f"/{name.rstrip('/')}{ending}" in ends() for ending in ("", ".py"))


@functools.cache
def names_in(module: str) -> set[str]:
    """Returns the names that a module defines at its top level."""
    body = ast.parse(source(module)).body
    targets = [
        node for one in body if isinstance(one, ast.Assign) for target in one.targets for node in ast.walk(target)
    ]
    targets += [one.target for one in body if isinstance(one, ast.AnnAssign)]
    kinds = ast.FunctionDef | ast.ClassDef
    return {one.name for one in body if isinstance(one, kinds)} | {
        node.id for node in targets if isinstance(node, ast.Name)
    }


def is_dotted_name(name: str) -> bool:
    """Returns True if it is a module or a folder of ours, or a name in one: `orders.activation.run_job`."""
    parts = name.split(".")
    path, holder = "/".join(parts), "/".join(parts[:-1])
    if {path, f"{path}.py"} & paths():
        return True
    return any(file in paths() and parts[-1] in names_in(file) for file in (f"{holder}.py", f"{holder}/__init__.py"))


def what_is_wrong(word: str) -> bool:
    """Returns True if a word of code in a document names something that does not exist."""
    first = re.split(r"[/.]", word)[0]
    if FILE.fullmatch(word) or word.endswith("/") or ("/" in word and first in folder_names()):
        return not is_there(word)
    return "." in word and "/" not in word and first in top_folders() and not is_dotted_name(word)


def words_of(page: str) -> Iterator[tuple[int, str]]:
    """Yields (line, word) for each word of code in a sentence, and for each other word that begins with one of our
    folders.
    """
    for number, line in enumerate(source(page).splitlines(), 1):
        in_code = {word for code in re.findall(r"`([^`]+)`", line) for word in SPACES.split(code)}
        for word in {*SPACES.split(line.replace("`", " ")), *in_code}:
            name = word.partition("::")[0].partition("#")[0].rstrip(".:")
            if not NAME.fullmatch(name) or MIGRATION.fullmatch(name) or SETTING.match(name) or UNIT.fullmatch(name):
                continue
            if word in in_code or ("/" in name and name.partition("/")[0] in top_folders()):
                yield number, name


def pages() -> list[str]:
    """Returns the documents, without CHANGELOG.md, which names files of the past, and without vendored documents,
    which name their own files.
    """
    found = [path for path in paths() if path.endswith(".md")]
    return sorted(path for path in found if path != "CHANGELOG.md" and "/vendor/" not in path)


def said_in(module: str) -> Iterator[tuple[int, str]]:
    """Yields (line, text) of docstrings and comments."""
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(source(module)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
        elif token.type != tokenize.NL:
            if token.type == tokenize.STRING and before in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}:
                yield from enumerate(token.string.splitlines(), token.start[0])
            before = token.type


def test_each_file_folder_and_module_that_a_document_names_is_there():
    words = [(page, line, word) for page in pages() for line, word in words_of(page)]
    assert len({word for *_, word in words}) > 600
    gone = [(f"{page}:{line}", word) for page, line, word in words if what_is_wrong(word)]
    assert [(place, word) for place, word in gone if word not in NOT_OURS] == []
    # otherwise the test would find nothing at all
    assert {"utils.py", "pg_hba.conf", "set/"} <= {word for _, word in gone}


def test_each_file_that_a_docstring_or_comment_names_is_there():
    gone = [
        (f"{module}:{line}", word)
        for module in sorted(path for path in paths() if path.endswith(".py") and "/migrations/" not in path)
        if IN_CODE.search(source(module))
        for line, text in said_in(module)
        for word in IN_CODE.findall(text)
        if not is_there(word) and word not in NOT_OURS
    ]
    assert gone == []


def test_what_a_document_runs_can_be_run():
    targets = set(re.findall(r"^([a-z][\w-]*):", source("Makefile"), re.MULTILINE))
    gone, seen = [], 0
    for page in pages():
        fenced = False
        for number, line in enumerate(source(page).splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            made = TARGET.findall(line if fenced else "".join(re.findall(r"`[^`]+`", line)))
            modules = [name for name in RUN.findall(line) if name.partition(".")[0] in top_folders()]
            seen += len(made) + len(modules)
            gone += [(f"{page}:{number}", f"make {name}") for name in made if name not in targets]
            for name in modules:
                path = name.replace(".", "/")
                if not {f"{path}.py", f"{path}/__main__.py"} & paths():
                    gone.append((f"{page}:{number}", f"python -m {name}"))
    assert gone == []
    assert seen > 80


@pytest.mark.parametrize("page", README)
def test_the_readmes_tree_names_each_folder_at_the_root_and_no_other(page):
    """The files in the second cell of a row are in the folder that the row describes."""
    rows = re.findall(r"^\| (`\w+/`.*?) \| (.*) \|$", source(page), re.MULTILINE)
    folders = [re.findall(r"`([\w/]+)/`", first) for first, _ in rows]
    assert sorted(name for names in folders for name in names) == sorted(top_folders())
    for (_, said), [folder, *_] in zip(rows, folders, strict=True):
        inside = re.findall(r"`([\w/.]+(?:/|\.py))`", said)
        assert [name for name in inside if not Path(ROOT, folder, name).exists()] == []


GONE = ["orders/outbox/claim.py", "outbox/claim.py", "orders/nowhere", "nowhere/", "orders.outbox.claim"]
HERE = ["claim.py", "sending/claim.py", "integrations/base/counters", "bboss/", "orders.activation.run_job"]


@pytest.mark.parametrize("word", [*GONE, "orders.activation.gone"])
def test_what_is_gone_is_found(word):
    assert what_is_wrong(word)


@pytest.mark.parametrize("word", [*HERE, "tests.mails", "project"])
def test_what_is_there_is_let_through(word):
    assert not what_is_wrong(word)
