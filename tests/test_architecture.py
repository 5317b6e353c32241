"""The arrows of the design: project -> integrations -> orders -> approvals, notifications; and who writes a status."""

import ast
import functools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "project": {"project", "integrations", "orders", "approvals", "notifications"},
    "integrations": {"integrations", "orders", "approvals", "notifications"},
    "orders": {"orders", "approvals", "notifications"},
    "approvals": {"approvals"},
    "notifications": {"notifications"},
}
STATUS = {"state", "held_because", "decision", "undo_since"}
WRITERS = ("orders/services/", "orders/activation.py", "orders/migrations/")

MODULES = sorted(path.relative_to(ROOT).as_posix() for app in MAY_IMPORT for path in (ROOT / app).rglob("*.py"))


@functools.cache
def tree(module):
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imported(node):
    """The dotted names that a node imports; nothing for other nodes."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if not node.level else ["relative." + (node.module or "")]
    return []


def ours(node):
    """The apps of this project that a node imports."""
    return {name.split(".")[0] for name in imported(node)} & set(MAY_IMPORT)


def hidden_imports(module):
    """Imports of ours inside functions. `AppConfig.ready` may: Django asks for it there."""
    functions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        f"{module}:{inner.lineno}"
        for function in functions
        if not (module.endswith("/apps.py") and function.name == "ready")
        for inner in ast.walk(function)
        if ours(inner)
    ]


def status_updates(source):
    """Lines of `.update(...)` and `.bulk_update(...)` that write a status."""
    return [node.lineno for node in ast.walk(source) if isinstance(node, ast.Call) and writes_status(node)]


def writes_status(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name == "update":
        return bool(STATUS & {keyword.arg for keyword in call.keywords})
    words = {node.value for node in ast.walk(call) if isinstance(node, ast.Constant)}
    return name in {"bulk_update", "save"} and bool(STATUS & words)


def test_there_is_something_to_look_at():
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module):
    allowed = MAY_IMPORT[module.split("/")[0]]
    wrong = {name for node in ast.walk(tree(module)) for name in ours(node)} - allowed
    assert not wrong, f"{module} imports {wrong}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_whole_names(module):
    relative = [name for node in ast.walk(tree(module)) for name in imported(node) if name.startswith("relative.")]
    assert not relative, f"{module}: say the whole name, so that the arrows can be seen"


def test_no_import_hides_in_a_function():
    assert [place for module in MODULES for place in hidden_imports(module)] == []


def test_only_services_write_a_status():
    others = [module for module in MODULES if not module.startswith(WRITERS)]
    assert [f"{module}:{line}" for module in others for line in status_updates(tree(module))] == []


@pytest.mark.parametrize(
    "code, number",
    [
        ("Order.objects.filter(pk=1).update(state='x')", 1),
        ("order.save(update_fields=['state'])", 1),
        ("Order.objects.bulk_update(rows, ['held_because'])", 1),
        ("Order.objects.update(seen_at=now)", 0),
        ("settings.update({'state': 1})", 0),
    ],
)
def test_the_guard_sees(code, number):
    assert len(status_updates(ast.parse(code))) == number


def test_the_core_knows_no_http():
    web = ("requests", "urllib3", "rest_framework", "django.http")
    pages = ("orders/admin/", "orders/order_page/")
    core = [module for module in MODULES if module.startswith("orders/") and not module.startswith(pages)]
    names = [name for module in core for node in ast.walk(tree(module)) for name in imported(node)]
    assert [name for name in names if name.startswith(web)] == []
