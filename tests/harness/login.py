"""Logs in with a password over HTTP, like a browser."""

import requests


def log_in(browser: requests.Session, url: str, name: str, password: str) -> requests.Response:
    """Opens the log-in page and submits its form. Returns the next page. After a success it contains `/logout/`."""
    door = f"{url}/admin/login/"
    browser.get(door, timeout=60)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(door, form | {"next": "/admin/"}, headers={"Referer": door}, timeout=60)
