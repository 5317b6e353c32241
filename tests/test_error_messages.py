"""Codes between layers: each code that is raised has its sentence, and the sentence gets what it needs."""

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from orders import errors
from orders.error_messages import LABELS, MESSAGES, say, say_in_english
from orders.errors import NotAllowedError

ROOT = Path(__file__).resolve().parent.parent
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


def sources():
    for app in ("orders", "integrations", "project"):
        yield from sorted((ROOT / app).rglob("*.py"))
    yield ROOT / "notifications" / "sending.py"


def raised():
    """Each call of an error of ours with a plain code: place, code and the names of its parameters."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                code = node.args[0]
                names = {keyword.arg for keyword in node.keywords}
                yield f"{path.name}:{node.lineno}", code.value if isinstance(code, ast.Constant) else None, names


RAISED = list(raised())


def test_there_is_something_to_look_at():
    assert len(RAISED) > 70


@pytest.mark.parametrize("place, code, names", RAISED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_raised_has_its_sentence(place, code, names):
    if code is None:  # a code from a small table beside it
        return
    assert code in MESSAGES
    row = MESSAGES[code]
    if None not in names:  # `**about` can't be seen here
        assert set(HOLE.findall(f"{row.english}{row.words}")) <= names


def test_no_sentence_is_left_over():
    written = "".join(path.read_text(encoding="utf-8") for path in sources() if path.name != "error_messages.py")
    assert [code for code in MESSAGES if f'"{code}"' not in written] == []


@pytest.mark.parametrize("code", MESSAGES)
def test_each_can_be_said(code):
    row = MESSAGES[code]
    if code == "cause_says_all":
        return
    params = {name: PARAMS.get(name, "x") for name in HOLE.findall(f"{row.english}{row.words}")}
    error = NotAllowedError(code, **params)
    with translation.override("zh-hans"):
        assert error.words()
        assert not re.search(r"[\u4e00-\u9fff]", str(error)), "the terminal speaks English whoever asks"
        assert not str(row.words).strip("%(wordshy)") or re.search(r"[\u4e00-\u9fff]", error.words())


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
    """States of orders and of incidents stand in the same place of a sentence."""
    for choices in LABELS.values():
        values = [value for words in choices for value in words.values]
        assert len(values) == len(set(values))


def test_a_stranger_s_percent_sign_breaks_nothing():
    assert str(NotAllowedError("100 % of it")) == "100 % of it"
    assert "%s %(x)s" in str(NotAllowedError("bad_domain", name="%s %(x)s", why="no"))
