"""One desk and one browser for all; without DESK_BROWSER=1 (make test-browser) nothing here is collected."""

import os

import pytest

if os.environ.get("DESK_BROWSER"):
    from tests.browser.browsing import chromium, open_page
    from tests.browser.desk import Desk
else:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def desk():
    with Desk() as running:
        yield running


@pytest.fixture(scope="session")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser, desk, request):
    """`visit("clerk")`: a page of this person, signed in; `size` and `scheme` as asked."""
    pages = []

    def sign_in(user, **how):
        pages.append(open_page(browser, desk.url, user=user, **how))
        return pages[-1]

    yield sign_in
    failed = getattr(request.node, "failed", False)
    for page in pages:
        if failed:
            print(f"{page.url}: {page.faults}\n{page.locator('body').inner_text()}\n")
        page.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Has `visit` tell what the pages of a failed test show."""
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
