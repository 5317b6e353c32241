"""tests/tools/faults.py puts faults into code: one that a test notices, one that no test notices, and some in lines
that no test runs.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.sources import ROOT

PRODUCT = """
def smaller(one, other):
    return one if one < other else other


def unused():
    return 1
"""
TESTS = """
from orders.small import smaller


def test_smaller():
    assert [smaller(1, 2), smaller(3, 2)] == [1, 2]


def test_that_fails_without_a_fault():
    assert smaller(1, 2) == 3
"""


@pytest.fixture
def tree(tmp_path):
    """A checkout with one module and its tests."""
    tree = tmp_path / "tree"
    for name, text in {"orders/__init__.py": "", "orders/small.py": PRODUCT, "tests/test_small.py": TESTS}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "pytest.ini").write_text("[pytest]\nmarkers =\n  processes\n  kills\n  versions\n")
    subprocess.run(["git", "init", "-q", tree], check=True)
    return tree


def judge(tree, *arguments):
    folder = tree.parent / "folder"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    words = [sys.executable, "-m", "tests.tools.faults", "--tree", tree, "--folder", folder, *arguments]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return run.stdout, list(json.loads((folder / "results.json").read_text()).values())


@pytest.mark.whole
def test_a_fault_is_noticed_by_the_tests_that_run_its_line(tree):
    judge(tree, "--only", "2")
    output, results = judge(tree)  # goes on with the faults that are left
    assert {(told["function"], told["after"]): (told["noticed"], told["by"]) for told in results} == {
        ("smaller", "return one if (one <= other) else other"): (False, ""),
        ("smaller", "return None"): (True, "FAILED tests/test_small.py::test_smaller"),
        ("unused", "return None"): (False, "no test runs it"),
        ("unused", "return 2"): (False, "no test runs it"),
    }
    assert "1 of 4 noticed" in output
    assert (tree / "orders/small.py").read_text() == PRODUCT
