"""The sandbox's page in a browser that runs no script."""

import pytest

from tests.browser.browsing import SIZES, overflow
from tests.browser.test_access import findings
from tests.sandbox.bodies import PUT, START, post, records


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http


@pytest.fixture
def look(browser, sandbox, case):
    """`look(size, scheme)`: the page with a record, a process and a fault."""
    post(sandbox, PUT, records())
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    sandbox.fault(PUT, "503", count=2)
    contexts = []

    def page(size: str = "wide", scheme: str = "light", script: bool = False):
        contexts.append(
            browser.new_context(viewport=SIZES[size], color_scheme=scheme, java_script_enabled=script, locale="zh-CN")
        )
        opened = contexts[-1].new_page()
        opened.goto(sandbox.url)
        return opened

    yield page
    for context in contexts:
        context.close()


def test_faults_are_set_and_cleared_without_script(look):
    page = look()
    page.locator("select[name=kind]").select_option("refusal")
    page.get_by_label("次数").fill("3")
    page.get_by_role("button", name="设置故障").click()
    assert page.get_by_role("status").inner_text() == "已设置故障"
    assert page.get_by_role("cell", name="业务拒绝").is_visible()
    page.get_by_role("button", name="清除全部故障").click()
    assert page.get_by_text("没有设置故障").is_visible()


def test_bpm_rejects_without_script(look, sandbox):
    sandbox.partners.callback = "http://127.0.0.1:9/api/bpm/approvals"
    page = look()
    page.get_by_role("button", name="驳回 100A230920170127001").click()
    assert "502" in page.get_by_role("status").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(look, scheme):
    page = look(scheme=scheme, script=True)
    page.get_by_role("button", name="设置故障").click()
    assert findings(page) == []


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_no_wider_than_the_window(look, size):
    assert overflow(look(size, script=True)) <= 0
