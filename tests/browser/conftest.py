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
def visit(browser, desk):
    """`visit("clerk")`: a page of this person, signed in; `size` and `scheme` as asked."""
    pages = []

    def sign_in(user, **how):
        pages.append(open_page(browser, desk.url, user=user, **how))
        return pages[-1]

    yield sign_in
    for page in pages:
        page.context.close()
