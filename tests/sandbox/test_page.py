"""The sandbox's page: its switches and buttons work without scripts, as a browser sends forms."""

import re

import pytest
import requests

from tests.sandbox.bodies import DONE, PUT, START, post, records
from tests.sandbox.test_approve import desk  # noqa: F401  a fixture

INPUT = re.compile(r'<input [^>]*name="(\w+)"[^>]* value="([^"]*)"|<select name="(\w+)"><option value="([^"]*)"')
BUTTON = re.compile(r'<button(?: name="(\w+)" value="(\w+)")?[^>]*>([^<]+)</button>')


def press(sandbox, action: str, button: str, **filled: str) -> str:
    """Fills in the first form with this action and presses the button with this label. Returns the page after it."""
    page = requests.get(sandbox.url, timeout=5).text
    form = page.partition(f'<form method="post" action="{action}"')[2].partition("</form>")[0]
    data = {name or select: value or option for name, value, select, option in INPUT.findall(form)} | filled
    [(name, value, _)] = [found for found in BUTTON.findall(form) if found[2] == button]
    if name:
        data[name] = value
    answer = requests.post(sandbox.url + action, data=data, timeout=5, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return requests.get(sandbox.url, timeout=5).text


def test_a_fault_is_set_and_shown_and_strikes(sandbox):
    page = press(sandbox, "/page/faults", "设置故障", path=PUT, kind="refusal", count="2")
    assert "已设置故障" in page
    assert "业务拒绝" in page.split("</table>")[0]
    [left] = sandbox.partners.faults.left()
    assert (left["path"], left["kind"], left["count"], left["seconds"]) == (PUT, "refusal", 2, 30)
    assert post(sandbox, PUT, records()).json()["code"] == 400


def test_the_notice_is_shown_once(sandbox):
    assert "已设置故障" in press(sandbox, "/page/faults", "设置故障")
    assert "已设置故障" not in requests.get(sandbox.url, timeout=5).text


def test_all_faults_are_cleared(sandbox):
    sandbox.fault(PUT, "500", count=5)
    assert "已清除全部故障" in press(sandbox, "/page/clear", "清除全部故障")
    assert post(sandbox, PUT, records()).json() == DONE


@pytest.mark.parametrize(
    "filled, named",
    [
        ({"count": "0"}, "count"),
        ({"count": "many"}, "count"),
        ({"seconds": "-1"}, "seconds"),
        ({"path": "/x"}, "path"),
        ({"kind": "<b>"}, "kind"),
    ],
)
def test_a_bad_value_is_named_on_the_page(sandbox, filled, named):
    assert f"{named}: must be" in press(sandbox, "/page/faults", "设置故障", **filled)
    assert sandbox.partners.faults.left() == []


@pytest.mark.parametrize("button, result", [("同意", "pass"), ("驳回", "reject")])
def test_bpm_decides_at_a_button(sandbox, desk, case, button, result):  # noqa: F811
    sandbox.partners.callback = desk.url
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    page = press(sandbox, "/page/approve", button)
    assert "&quot;status&quot;:200" in page
    [(request, _)] = desk.log
    assert request.headers["X-Signature"]
    assert f'"result":"{result}"'.encode() in request.data


def test_a_desk_that_is_away_is_named(sandbox, case):
    sandbox.partners.callback = "http://127.0.0.1:9/x"
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    assert "&quot;code&quot;:502" in press(sandbox, "/page/approve", "同意")


def test_the_page_needs_no_script(sandbox):
    answer = requests.get(sandbox.url, timeout=5)
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
