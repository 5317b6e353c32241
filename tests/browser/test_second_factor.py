"""A second factor in a browser: setting it up by typing the key, logging in, using a recovery code, and the reset by a
colleague.
"""

import base64

import pytest
from cryptography.fernet import Fernet
from django_otp.oath import totp

from tests.browser.browsing import stranger
from tests.browser.desk import Desk
from tests.browser.pages import PASSWORD
from tests.browser.test_access import BOTH, is_fine

MAKE = """
from project.models import User
for name in ("keeper", "wang"):
    User.objects.create_superuser(name, password="{password}")
"""


class Door(Desk):
    """A desk without orders, on which everybody needs a second factor."""

    key = Fernet.generate_key().decode()

    def prepare(self):
        self.run("manage.py", "shell", "-c", MAKE.format(password=PASSWORD))

    @property
    def environment(self):
        return super().environment | {"MFA_REQUIRED": "everybody", "MFA_KEY": self.key}


@pytest.fixture
def open_door(browser):
    """Returns a function. `open_door("wang")` returns a page in a new browser, on which this person has entered the
    password and is asked for a code.
    """
    pages = []
    with Door() as door:

        def log_in(user):
            page = stranger(browser, door.url)
            pages.append(page)
            page.goto("/admin/orders/order/")
            page.fill("#id_username", user)
            page.fill("#id_password", PASSWORD)
            page.press("#id_password", "Enter")
            page.wait_for_url("**/admin/login/code/")
            return page

        yield log_in
        for page in pages:
            page.context.close()


def key_on(page) -> bytes:
    return base64.b32decode(page.inner_text("code.key").replace(" ", ""))


def set_up(page) -> tuple[bytes, list[str]]:
    """Enters the app's code for the key on the page. Returns the key and the recovery codes."""
    key = key_on(page)
    page.fill("[name=new_code]", f"{totp(key):06}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#recovery-codes")
    return key, page.inner_text("#recovery-codes").split()


def enter(page, code):
    page.fill("[name=code]", code)
    page.keyboard.press("Enter")
    page.wait_for_selector("#user-tools")


def test_from_the_first_log_in_to_a_lost_phone(open_door):
    """Each page is checked in a wide window and on a phone in dark mode, which is the look that it keeps."""
    page = open_door("wang")
    assert page.locator("img.qr").evaluate("image => image.complete && image.naturalWidth > 100")
    is_fine(page, BOTH)
    key, codes = set_up(page)
    is_fine(page, BOTH)
    page.get_by_role("link", name="已妥善保存").click()
    page.wait_for_url("**/admin/orders/order/")
    page.locator(".phone-menu summary").click()
    page.locator(".phone-menu").get_by_role("link", name="两步验证").click()
    is_fine(page, BOTH)
    page.get_by_role("link", name="更换手机或应用").click()
    is_fine(page, BOTH)

    page = open_door("wang")
    is_fine(page, BOTH)
    enter(page, f"{totp(key, t0=-30):06}")  # the next code, because the one that set up the factor can't be used again
    page.wait_for_url("**/admin/orders/order/")

    page = open_door("wang")
    enter(page, codes[0])
    assert "还剩 9 个恢复码" in page.inner_text(".messagelist")

    keeper = open_door("keeper")
    set_up(keeper)
    keeper.goto("/admin/project/user/")
    is_fine(keeper, BOTH[::-1])
    keeper.get_by_role("link", name="wang", exact=True).click()
    keeper.get_by_role("link", name="重置两步验证").click()
    is_fine(keeper, BOTH[::-1])
    keeper.get_by_role("button", name="重置").click()
    assert "下次登录时将重新设置" in keeper.inner_text(".messagelist")

    page.goto("/admin/orders/order/")
    page.wait_for_selector("#id_username")
    assert key_on(open_door("wang")) != key
