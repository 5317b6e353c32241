"""Opens pages in Debian's chromium, driven by playwright, and signs in."""

import contextlib
import os
from collections.abc import Iterator

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.pages import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 390, "height": 844}}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that can reach only this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def stranger(browser: Browser, url: str, *, size: str = "wide", scheme: str = "light", **options) -> Page:
    """Returns an empty page of somebody in China who has not signed in. `page.faults` lists the errors of scripts and
    the files that the browser refused.
    """
    options |= {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "reduced_motion": "reduce"}
    page = browser.new_context(base_url=url, viewport=SIZES[size], color_scheme=scheme, **options).new_page()
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if is_fault(message) else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def open_page(browser: Browser, url: str, *, user: str, **look: str) -> Page:
    """Returns the first page of a person who has just signed in, in a browser context of its own."""
    page = stranger(browser, url, **look)
    page.goto("/admin/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_selector("#user-tools")
    return page


def is_fault(message: ConsoleMessage) -> bool:
    """Returns whether the message is an error. A missing favicon is none: a browser asks for it by itself if a page
    names no icon, as `/livez` doesn't. Our other pages name one.
    """
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")


def turn(page: Page, size: str, scheme: str) -> None:
    """Shows a page as in a window of this size and colour scheme. No script of ours reads either of them while a page
    loads.
    """
    page.set_viewport_size(SIZES[size])
    page.emulate_media(media="screen", color_scheme=scheme)


def leave(page: Page) -> None:
    """Goes to a page without content and leaves nothing behind. An empty page outside the desk would start another
    browser process each time.
    """
    page.unroute_all()
    page.mouse.move(0, 0)
    page.goto("/livez")
    page.evaluate("sessionStorage.clear()")


def overflow(page: Page) -> int:
    """Returns by how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def over_the_heading(page: Page) -> list[str]:
    """Returns the texts that overlap the page's heading."""
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
