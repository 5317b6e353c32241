"""The error dictionary has an entry for every code that can occur."""

import ast

import pytest
from django.utils.translation import override

from orders.attachments.check import VERDICTS
from orders.models import Order
from orders.texts.incident_texts import CAUSES, UNKNOWN, cause_of
from tests.sources import MODULES, nodes, tree

APPS = ("integrations/", "notifications/", "orders/")
ELSEWHERE = (
    "integrations/bboss/",
    "integrations/sandbox/",
    "orders/migrations/",
    "orders/admin/",
    "orders/order_page/",
    *("orders/customer_page/", "orders/lists/", "orders/office/", "orders/search/"),
)
FILES = [  # the other folders have the codes of answers to BBOSS, and the partners' codes
    module for module in MODULES if module.startswith(APPS) and not module.startswith(ELSEWHERE)
]
RETURNED = {
    ("notifications/sending.py", "_trouble"),
    ("integrations/outbound/failure_classification.py", "connection_error"),
}
SHOWN = [
    *(f"http_{status}" for status in (*range(300, 309), *range(400, 432), 451, *range(500, 512), 599)),
    *(
        f"code_{code}"
        for code in (0, 1, 201, 400, 401, 403, 404, 409, 422, 499, 500, 503, 999, 1001, "E01", "失败", -1)
    ),
    *(f"smtp_{code}" for code in (421, 450, 451, 452, 500, 535, 550, 552, 554)),
    *(f"provider_{code}" for code in (400, 401, 403, 408, 422, 429, 500, 503, "trouble")),
]


def written_codes() -> set[str]:
    """Returns the codes that our sources contain as text: in `code="..."`, in `code = "..." if ... else "..."`, by the
    name of a constant, as verdicts on files, and the codes between which two functions choose.
    """
    constants = dict(pair for name in FILES for pair in constants_of(tree(name)))
    found = set()
    for name in FILES:
        for node in nodes(name):
            for value in given_codes(node):
                words = [
                    constants.get(inner.id) if isinstance(inner, ast.Name) else inner.value for inner in leaves(value)
                ]
                found |= {word for word in words if isinstance(word, str) and word}
            if isinstance(node, ast.FunctionDef) and (name, node.name) in RETURNED:
                words = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
                found |= {word for word in words if isinstance(word, str) and word.isidentifier()}
    return found


def constants_of(tree: ast.Module):
    """Yields (name, text) for each NAME = "text" at the top of a module."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0], ast.Name)
        ):
            yield node.targets[0].id, node.value.value


def given_codes(node: ast.AST) -> list[ast.expr]:
    """Returns the expressions of a node that give a code."""
    if isinstance(node, ast.keyword) and node.arg == "code":
        return [node.value]
    if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["code"]:
        return [node.value]
    verdict = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_WrongError"
    return node.args[:1] if verdict else []


def leaves(value: ast.expr) -> list[ast.expr]:
    """Returns the possible values of an expression, as far as the expression itself contains them."""
    if isinstance(value, ast.IfExp):
        return [*leaves(value.body), *leaves(value.orelse)]
    return [value] if isinstance(value, ast.Constant | ast.Name) else []


def test_every_code_of_ours_has_an_entry():
    known = "not_json timeout refused broken connection no_recipients payload early again second breaker_open"
    known += " compensated change_built_upon internal missing"
    written = written_codes()
    assert set(known.split()) <= written
    assert (written | set(VERDICTS)) - CAUSES.keys() == set()


def test_every_hold_has_an_entry():
    assert {held for held in Order.Held if held} - CAUSES.keys() == set()


def test_partners_codes_are_explained_by_their_class():
    assert [code for code in SHOWN if cause_of(code[:32]) is UNKNOWN] == []


@pytest.mark.parametrize(
    "code, words",
    [
        ("http_503", "Once it has failed: resend it"),  # retries may be used up, and then nothing goes on by itself
        ("code_500", "Once it has failed: resend it"),
        ("timeout", "Once it has failed: resend it"),
        ("code_422", "Clear it up with the partner"),
        ("http_429", "Once it has failed: resend it"),
        ("smtp_451", "Once it has failed: resend it"),
        ("trial_busy", "Nothing to do"),
        ("smtp_550", "mail server"),
        ("code_400", "the partner's words"),
        ("whatever", "engineer on duty"),
    ],
)
def test_what_to_do_fits_the_code(code, words):
    with override("en"):
        assert words in str(cause_of(code).next)


def test_cause_and_next_step_are_chinese():
    causes = [*CAUSES.values(), *(cause_of(code) for code in SHOWN), UNKNOWN]
    with override("zh-hans"):
        plain = [str(text) for cause in causes for text in (cause.what, cause.next) if str(text).isascii()]
    assert plain == []
