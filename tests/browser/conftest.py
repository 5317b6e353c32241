"""One desk and one browser for all; without DESK_BROWSER=1 (make test-browser) nothing here is collected."""

import os
import time

import pytest

if os.environ.get("DESK_BROWSER"):
    from tests.browser.browsing import chromium, leave, open_page, turn
    from tests.browser.desk import Desk
else:
    collect_ignore_glob = ["test_*.py"]

KEPT = 900  # seconds; the desk ends a session that nobody has used for half an hour


@pytest.fixture(scope="session")
def desk():
    with Desk() as running:
        yield running


@pytest.fixture(scope="session")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def signed_in():
    """The tabs of who has signed in, and since when, by desk and name. To sign in takes longer than most tests."""
    return {}


@pytest.fixture
def visit(browser, desk, request, signed_in):
    """`visit("clerk")`: an empty page of this person, who has signed in; `size` and `scheme` as asked.

    `fresh`: signed in just now, in a browser of its own. For tests that do what the next page would feel: to the
    browser's clock, its cookies, its connection, or to sessions.
    """
    pages = []

    def sign_in(user, *, fresh=False, size="wide", scheme="light"):
        page, since = signed_in.get((desk.url, user), (None, 0))
        if fresh or not page or time.monotonic() > since + KEPT:
            page = open_page(browser, desk.url, user=user)
            leave(page)
            if not fresh:
                signed_in[desk.url, user] = page, time.monotonic()
        turn(page, size, scheme)
        page.faults.clear()
        pages.append(page)
        return page

    yield sign_in
    failed = getattr(request.node, "failed", False)
    for page in pages:
        if failed:
            print(f"{page.url}: {page.faults}\n{page.locator('body').inner_text()}\n")
        if failed or page not in [kept for kept, _since in signed_in.values()]:
            page.context.close()
        else:
            leave(page)
    if failed:
        signed_in.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Has `visit` tell what the pages of a failed test show."""
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
