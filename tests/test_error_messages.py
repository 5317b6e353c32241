"""Errors are passed between layers as codes. Each code that is raised has a sentence, and gets the parameters that the
sentence needs.
"""

import ast
import re

from django.utils import translation

from orders.texts import errors
from orders.texts.error_messages import LABELS, MESSAGES, say, say_in_english
from orders.texts.errors import NotAllowedError
from tests.sources import MODULES, nodes, source

HOLE = re.compile(r"%\((\w+)\)")
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}
PARAMS = {
    "size": 1,
    "most": 2,
    "number": "A1",
    "step": "create_billing",
    "state": "withdrawn",
    "why": NotAllowedError("open_rejected"),
}


FILES = [module for module in MODULES if module.startswith(("orders/", "integrations/", "project/"))]
FILES += ["notifications/sending.py"]
TABLES = ("/error_messages.py", "/office_messages.py")


def raised():
    """Yields, for each call of an error class of ours with a literal code: the place, the code, and the names of its
    parameters.
    """
    for file in FILES:
        for node in nodes(file):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant):  # otherwise the code comes from a small table in the same module
                    yield f"{file}:{node.lineno}", code.value, {keyword.arg for keyword in node.keywords}


def test_what_is_raised_has_its_sentence():
    found = list(raised())
    assert len(found) > 70
    for place, code, names in found:
        assert code in MESSAGES, place
        holes = set(HOLE.findall(f"{MESSAGES[code].english}{MESSAGES[code].words}"))
        assert None in names or holes <= names, place  # this test can't see what `**about` contains


def test_no_sentence_is_left_over():
    written = "".join(source(file) for file in FILES if not file.endswith("/error_messages.py"))
    assert [code for code in MESSAGES if f'"{code}"' not in written] == []


def test_no_code_has_two_sentences():
    written = "".join(source(file) for file in FILES if file.endswith(TABLES))
    assert [code for code in MESSAGES if written.count(f'"{code}": ') != 1] == []


def test_each_can_be_said():
    for code, row in MESSAGES.items():
        if code == "cause_says_all":
            continue
        params = {name: PARAMS.get(name, "x") for name in HOLE.findall(f"{row.english}{row.words}")}
        error = NotAllowedError(code, **params)
        with translation.override("zh-hans"):
            assert error.words(), code
            assert not re.search(r"[\u4e00-\u9fff]", str(error)), f"{code}: the terminal speaks English whoever asks"
            assert not str(row.words).strip("%(wordshy)") or re.search(r"[\u4e00-\u9fff]", error.words()), code


def test_steps_and_states_are_named_on_pages_only():
    facts = {"domain": "a.cn", "number": "A1", "state": "withdrawn"}
    with translation.override("zh-hans"):
        assert say("open_state", facts) == "当前状态不允许：已撤单"
        assert say_in_english("open_state", facts) == "not allowed, because the order is withdrawn"
        assert (
            say_in_english("step_open", {"step": "create_billing"})
            == "a billing step is under way: Create commercial records"
        )


def test_a_value_has_one_label():
    """States of orders and of incidents are used in the same place of a sentence, so no value may belong to both."""
    for choices in LABELS.values():
        values = [value for words in choices for value in words.values]
        assert len(values) == len(set(values))


def test_a_stranger_s_percent_sign_breaks_nothing():
    assert str(NotAllowedError("100 % of it")) == "100 % of it"
    assert "%s %(x)s" in str(NotAllowedError("bad_domain", name="%s %(x)s", why="no"))
