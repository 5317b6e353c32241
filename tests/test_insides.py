"""The section "What leans on insides" of docs/decisions.md lists the undocumented parts of libraries that the desk
uses.
"""

import ast
import importlib
import inspect
import pydoc
import re
import runpy

import pytest

from tests.sources import MODULES, ROOT, last_name, nodes, source

OURS = ("approvals", "integrations", "notifications", "orders", "project", "django.db.models.enums", "enum")
FILES = [*(module for module in MODULES if "/migrations/" not in module), "gunicorn.conf.py"]
# private by their names, but described in Django's documentation
OF_MODELS = {"_base_manager", "_default_manager", "_meta", "_state"}
UNDOCUMENTED = (
    "django.contrib.admin.forms.",
    "django.contrib.admin.helpers.",
    "django.contrib.admin.options.IncorrectLookupParameters",
    "django.contrib.admin.utils.",
    "django.contrib.admin.views.",
    "django.contrib.auth.management.",
    "django.db.backends.",
    "django.db.migrations.executor.",
    "django.db.migrations.recorder.",
    "django.db.models.base.ModelState",
    "django.db.models.sql.",
    "django.utils.crypto.",
    "django_q.admin.",
    "django_q.brokers.orm.",
    "django_q.conf.",
    "django_q.signing.",
    "gunicorn.glogging.",
    "gunicorn.workers.",
    "openpyxl.reader.",
    "openpyxl.xml.",
    "prometheus_client.mmap_dict.",
    "prometheus_client.values.",
    "psycopg.Connection",
)  # the documentation of these libraries does not describe these modules, so any release may change their contents
BASES = {  # these are documented, or recommended as base classes, but their methods are not
    "django.contrib.admin.views.main.ChangeList",
    "django.db.backends.postgresql.base",
    "django.db.backends.signals.connection_created",
    "django.db.backends.sqlite3.base",
    "django_q.brokers.orm.ORM",
    "gunicorn.glogging.Logger",
}
UNMARKED = {  # attributes of objects that these modules make
    "apply_converters",
    "default_cols",
    "get_compiler",
    "get_converters",
    "klass_info",
    "root_queryset",
}
# other classes have documented attributes of these names
UNMARKED_OF = {("compiler", "select"), ("query", "order_by")}
NOT_IMPORTED = {"project/wsgi.py"}  # importing these starts something
HEADING = "## What leans on insides"
ROW = re.compile(r"^\| `(?P<owner>[\w.]+)` \| (?P<names>`.+?`) \| `(?P<file>[\w./]+)` \| .+ \| `(?P<test>.+)` \|$")


def is_private(name):
    return (name.startswith("_") and not name.startswith("__") and len(name) > 1) or name in UNMARKED


def names_in(nodes):
    """Yields private names that a source imports from a library, or reads from objects that are not its own."""
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and is_given_to_self(node)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own | OF_MODELS:
            yield node.attr
        if isinstance(node, ast.Attribute) and (last_name(node.value), node.attr) in UNMARKED_OF:
            yield node.attr
        if isinstance(node, ast.ImportFrom) and not node.module.startswith(OURS):
            yield from (one.name for one in node.names if is_inside(f"{node.module}.{one.name}"))


def is_given_to_self(node):
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"


def is_inside(path):
    return path not in BASES and (path.startswith(UNDOCUMENTED) or any(map(is_private, path.split("."))))


def names_overridden(file):
    """Yields the methods of a file's classes that override private methods of a library, or any method of its
    undocumented classes.
    """
    module, found = contents(file)
    for one in filter(inspect.isclass, found.values()):
        for place, ours in enumerate(one.__mro__):
            if ours.__module__ == module:
                theirs = [
                    base for base in one.__mro__[place + 1 :] if not base.__module__.startswith((*OURS, "builtins"))
                ]
                yield from (name for name in vars(ours) if stands_in(name, theirs))


def contents(file):
    """Returns (name of the module, its contents)."""
    if file == "gunicorn.conf.py":
        return file, runpy.run_path(str(ROOT / file), run_name=file)
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return module, vars(importlib.import_module(module))


def stands_in(name, theirs):
    known = [f"{base.__module__}.{base.__qualname__}" for base in theirs if is_method(name, base)]
    if not known or name.startswith("__"):
        return False
    return is_private(name) or all(path.startswith(UNDOCUMENTED) for path in known)


def is_method(name, base):
    return name in vars(base) and callable(getattr(base, name))


def found():
    """Yields (name, file) for all private names that our files use or override."""
    for file in FILES:
        over = set() if file in NOT_IMPORTED else set(names_overridden(file))
        yield from ((name, file) for name in {*names_in(nodes(file)), *over})


def listed():
    page = source("docs/decisions.md").partition(f"\n{HEADING}\n")[2]
    return [match.groupdict() for match in map(ROW.match, page.splitlines()) if match]


def names_of(row):
    return re.findall(r"`(\w+)`", row["names"])


def test_the_page_names_all_of_them_and_no_others():
    on_the_page = [(name, row["file"]) for row in listed() for name in names_of(row)]
    assert sorted(on_the_page) == sorted(found())


@pytest.mark.parametrize("row", listed(), ids=lambda row: f"{row['owner']}-{row['file']}")
def test_the_library_still_has_them(row):
    """If an upgrade of a library renames a listed name, this test fails, whatever else fails too."""
    text = inspect.getsource(pydoc.locate(row["owner"]))
    assert [name for name in names_of(row) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("row", listed(), ids=lambda row: f"{row['owner']}-{row['file']}")
def test_a_test_shows_what_they_do_for_us(row):
    path, _, name = row["test"].partition("::")
    assert f"def {name}(" in source(path)


@pytest.mark.parametrize(
    "code, names",
    [
        ("sheet._writer.close()", ["_writer"]),
        ("class A:\n    def f(self):\n        self._x = 1\n        return self._x + self._y", ["_y"]),
        ("from psycopg.errors import _WaitTimeout, ConnectionTimeout", ["_WaitTimeout"]),
        ("from openpyxl.worksheet._writer import WorksheetWriter", ["WorksheetWriter"]),
        ("from django_q.conf import Conf", ["Conf"]),
        ("from django.contrib.admin.utils import quote", ["quote"]),
        ("rows.query.order_by", ["order_by"]),
        ("rows.order_by('pk')", []),
        ("from orders.admin import _x", []),
        ("model._meta.pk", []),
    ],
)
def test_the_search_sees(code, names):
    assert list(names_in([*ast.walk(ast.parse(code))])) == names
