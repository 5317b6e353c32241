"""The main pages: their names and how to reach them."""

PASSWORD = "only-for-tests"
MAIN = {
    "dashboard": "/admin/",
    "orders": "/admin/orders/order/",
    "order": "/admin/orders/order/?needs=somebody",  # its first row is opened
    "customers": "/admin/orders/customer/",
    "customer": "/admin/orders/customer/?q=100A00000000000000",  # its first row is opened
    "found": "/admin/find/?q=example.com",
    "incidents": "/admin/orders/incident/",
    "approvals": "/admin/approvals/approvalrecord/",
    "billing": "/admin/orders/billingrecord/",
    "bpm": "/admin/orders/bpmdispatch/",
    "inbound": "/admin/orders/inboundmessage/?answer=signature",  # its first row is opened
    "conflict": "/admin/orders/conflict/",  # its first row is opened
    "contacts": "/admin/notifications/contact/",
}
OPENED = {"order", "customer", "inbound", "conflict"}


def open_first(page) -> None:
    """Opens the first row of a list."""
    open_row(page.locator("#result_list tbody tr").first)


def open_row(row) -> None:
    """Opens the page of a list's row by its address, because a click on an order's number would show the preview."""
    row.page.goto(row.locator("th a").first.get_attribute("href"))


def submit(page, reason: str, leads_to: str = "**/change/**") -> None:
    """Enters an act's reason, submits the form, and waits for the next page."""
    page.fill("textarea[name=reason]", reason)
    page.locator("form[method=post] button[type=submit].button").click()
    page.wait_for_url(leads_to)


def go(page, name: str) -> None:
    """Opens a main page."""
    page.goto(MAIN[name])
    if name in OPENED:
        open_first(page)
