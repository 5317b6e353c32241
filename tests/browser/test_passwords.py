"""The owner of a new account, and somebody who has forgotten the password, set passwords by links. No administrator
enters one.
"""

import re

import pytest

from tests.browser.browsing import stranger
from tests.browser.test_access import BOTH, is_fine

NEW = "Xuanwu-Lake-1368"
SEND = (
    "from tests.mails import send_mails; from django.core import mail; send_mails();"
    # this person's mail only, because mails to others are sent too
    "[body] = [sent.body for sent in mail.outbox if sent.to == ['f@example.com']]; print(body)"
)

MAKE = "from project.models import User; User.objects.create_user('{name}', 'f@example.com', 'x' * 20, is_staff=True)"


@pytest.fixture
def page(browser, desk):
    """A page of somebody who has not logged in. Each test checks that the pages on the way are readable and not wider
    than the window.
    """
    page = stranger(browser, desk.url)
    yield page
    page.context.close()


def set_password(page, address, looks):
    """Checks the page in each look, and sets the password in the last one."""
    page.goto(address)
    assert "key=" not in page.url
    is_fine(page, looks)
    page.fill("[name=new_password1]", NEW)
    page.fill("[name=new_password2]", NEW)
    page.click("[type=submit]")
    page.wait_for_selector("text=密码已设置")


def log_in(page, name):
    page.fill("[name=username]", name)
    page.fill("[name=password]", NEW)
    page.keyboard.press("Enter")
    page.wait_for_selector("#user-tools")


def test_an_invitation_without_a_mail_is_handed_over(visit, page):
    keeper, name = visit("keeper"), "newcomer"
    keeper.goto("/admin/project/user/add/")
    keeper.fill("[name=username]", name)
    keeper.check("[name=sees][value=all]")
    keeper.click("[name=_save]")
    keeper.wait_for_selector("#link")
    is_fine(keeper, BOTH)
    address = keeper.inner_text("#link")
    keeper.get_by_role("link", name="打开账号").click()
    keeper.get_by_role("link", name="发送设置密码的链接").click()
    keeper.wait_for_selector("text=当前密码和以前的链接立即失效")
    is_fine(keeper, BOTH)
    set_password(page, address, BOTH)
    log_in(page, name)


def test_a_forgotten_password_is_set_by_the_mail_s_link(desk, page):
    name, looks = "forgetful", BOTH[::-1]
    desk.run("manage.py", "shell", "-v0", "-c", MAKE.format(name=name))
    page.goto("/admin/login/")
    page.click(".password-reset-link a")
    is_fine(page, looks)
    page.fill("[name=name]", name)
    page.click("[type=submit]")
    page.wait_for_selector("text=30 分钟")
    is_fine(page, looks)
    body = desk.run("manage.py", "shell", "-v0", "-c", SEND).stdout
    set_password(page, re.search(r"/accounts/\S+", body)[0], looks)
    log_in(page, name)
    page.goto("/accounts/password_reset/set/")
    page.faults.clear()  # the refusal of this page, which needs a link
    is_fine(page, looks)
