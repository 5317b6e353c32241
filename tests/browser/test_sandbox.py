"""The page of the sandbox, the simulated partners, in a browser that runs no script."""

import pytest

from tests.browser.browsing import stranger
from tests.browser.test_access import is_fine
from tests.sandbox.bodies import PUT, START, post, records


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http


@pytest.fixture
def look(browser, sandbox, case):
    """Returns a function. `look()` opens the sandbox's page when it has a record, a process and a fault."""
    post(sandbox, PUT, records())
    post(sandbox, START, case(2)["expect"]["bpm"][0])
    sandbox.fault(PUT, "503", count=2)
    pages = []

    def open_it(script: bool = False):
        pages.append(stranger(browser, sandbox.url, java_script_enabled=script))
        pages[-1].goto(sandbox.url)
        return pages[-1]

    yield open_it
    pages[0].context.close()


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


def test_axe_finds_nothing_serious_and_the_page_is_no_wider_than_the_window(look):
    page = look(script=True)
    page.get_by_role("button", name="设置故障").click()
    is_fine(page)
