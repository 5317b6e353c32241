"""The log-in by a password over HTTP, as a browser does it."""

import requests


def log_in(browser: requests.Session, url: str, name: str, password: str) -> requests.Response:
    """Opens the log-in page and sends its form; the page that follows. `/logout/` is on it if that worked."""
    door = f"{url}/admin/login/"
    browser.get(door, timeout=60)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(door, form | {"next": "/admin/"}, headers={"Referer": door}, timeout=60)
