"""`make screenshots`: takes pictures of the main pages, light, dark and narrow, into docs/screenshots."""

import sys
from pathlib import Path

from tests.browser.browsing import chromium, open_page
from tests.browser.desk import Desk
from tests.browser.pages import MAIN, go, open_row

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "screenshots"
WAYS = {
    "light": {"size": "wide", "scheme": "light"},
    "dark": {"size": "wide", "scheme": "dark"},
    "narrow": {"size": "narrow", "scheme": "light"},
}
ACTIVE = "/admin/orders/order/?state__exact=active&kind__exact=activation"
"""The second row is a successful order, which the README shows. The first row is an order that is served but not
billed."""
ALSO = {"dark": ["dashboard", "orders", "order"], "narrow": ["dashboard", "orders", "order"]}


def main() -> int:
    """Takes the pictures. The dark and the narrow pictures are only of the three pages that staff use most."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Desk() as desk, chromium() as browser:
        for way, how in WAYS.items():
            page = open_page(browser, desk.url, user="clerk", **how)
            for name in ALSO.get(way, MAIN):
                go(page, name)
                page.screenshot(path=FOLDER / (f"{name}.png" if way == "light" else f"{name}-{way}.png"))
            if way == "light":
                page.goto(ACTIVE)
                open_row(page.locator("#result_list tbody tr").nth(1))
                page.screenshot(path=FOLDER / "order-active.png")
            page.context.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
