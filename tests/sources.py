"""The Python sources of the apps. Each is parsed only once, however many tests read it."""

import ast
import functools
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
APPS = ("approvals", "integrations", "notifications", "orders", "project")
MODULES = sorted(path.relative_to(ROOT).as_posix() for app in APPS for path in (ROOT / app).rglob("*.py"))


def source(module: str) -> str:
    return (ROOT / module).read_text(encoding="utf-8")


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(source(module))


def last_name(node: ast.AST) -> str:
    """Returns `Dispatch` for the names Dispatch and models.Dispatch, and an empty text for other nodes."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@functools.cache
def nodes(module: str) -> list[ast.AST]:
    return list(ast.walk(tree(module)))
