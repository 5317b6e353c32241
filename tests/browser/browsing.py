"""Debian's chromium, driven by playwright, and signing in."""

import contextlib
import os
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.pages import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 390, "height": 844}}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that reaches no further than this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(browser: Browser, url: str, *, user: str, size: str = "wide", scheme: str = "light") -> Page:
    """A page of a person who has signed in. `page.faults` keeps errors of scripts and refused files."""
    context = browser.new_context(
        base_url=url,
        viewport=SIZES[size],
        color_scheme=scheme,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto("/admin/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_selector("#user-tools")
    return page


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def over_the_heading(page: Page) -> list[str]:
    """The texts that lie over the page's heading."""
    return page.evaluate("""() => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector("#content h1"));
        const head = range.getBoundingClientRect();
        const hits = (box) => box.left < head.right && box.right > head.left
            && box.top < head.bottom - 1 && box.bottom > head.top + 1;
        return [...document.querySelectorAll("#content a, #content button, #content input")]
            .filter((one) => !one.closest("h1") && [...one.getClientRects()].some(hits))
            .map((one) => one.textContent);
    }""")
