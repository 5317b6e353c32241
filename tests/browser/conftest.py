"""Starts one desk and one browser for all tests. Without DESK_BROWSER=1 (set by `make test-browser`) no test here is
collected.
"""

import os
import time

import pytest

if os.environ.get("DESK_BROWSER"):
    from tests.browser.browsing import chromium, leave, open_page, turn
    from tests.browser.desk import Desk
else:
    collect_ignore_glob = ["test_*.py"]

KEPT = 900  # in seconds; the desk ends a session that nobody has used for half an hour


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
    """The open page of each person who has signed in, and when they did: {(desk's address, name): (page, time)}. Pages
    are reused, because signing in takes longer than most tests.
    """
    return {}


@pytest.fixture
def visit(browser, desk, request, signed_in):
    """Returns a function. `visit("clerk")` returns an empty page of this person, who has signed in, with the given
    `size` and `scheme`.

    With `fresh` the person signs in anew, in a browser context of its own. This is for tests that would disturb the
    next test, because they change the browser's clock, cookies or connection, or sessions.
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
    """Notes whether the test failed, so that `visit` prints what its pages show."""
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
