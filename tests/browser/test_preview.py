"""The preview beside the list, by pointer and keys, and the order's facts beside the reason of a decision."""

from playwright.sync_api import expect

from tests.browser.browsing import overflow
from tests.browser.pages import MAIN, open_first
from tests.browser.test_access import BOTH, is_fine

FAILED = MAIN["orders"] + "?state__exact=failed"


def test_a_row_opens_beside_the_list_keys_go_on_and_the_address_keeps_it(visit):
    page = visit("clerk")
    page.goto(FAILED)
    links = page.locator("#result_list tbody th a")
    numbers, here = links.all_inner_texts()[:3], page.locator("#preview h2")
    links.first.click()
    expect(here).to_have_text(numbers[0])
    for key, number in (("j", numbers[1]), ("j", numbers[2]), ("k", numbers[1])):
        page.keyboard.press(key)
        expect(here).to_have_text(number)
    assert links.nth(1).get_attribute("aria-current") == "true"
    page.reload()
    expect(here).to_have_text(numbers[1])
    is_fine(page)
    page.keyboard.press("Escape")
    expect(page.locator("#preview")).to_be_hidden()
    assert page.url.endswith("?state__exact=failed")
    links.first.focus()
    page.keyboard.press("Enter")
    expect(here).to_have_text(numbers[0])
    links.first.click()  # a second click opens the order's page
    page.wait_for_url("**/change/**")
    expect(page.locator("h1")).to_have_text(numbers[0])
    assert page.faults == []


def test_keys_go_on_in_the_next_page_of_the_list_and_back(visit):
    page = visit("clerk")
    here, links = page.locator("#preview h2"), page.locator("#result_list tbody th a")
    other = MAIN["orders"] + "?state__exact=held"
    page.goto(other)
    first, last = links.all_inner_texts()[0], links.all_inner_texts()[-1]
    for key, place, number in (("j", "last", first), ("k", "first", last)):
        page.goto(FAILED)
        getattr(links, place).click()
        expect(here).to_have_text(getattr(links, place).inner_text())
        # adds links to other pages, because the desk has too few orders for several
        page.locator(".paginator").evaluate(
            """(line, url) => {
                line.innerHTML = `<a href="${url}">1</a><span class="this-page">2</span><a href="${url}">3</a>`;
            }""",
            other,
        )
        page.keyboard.press(key)
        expect(here).to_have_text(number)
        assert "state__exact=held" in page.url
        assert "#" not in page.url
    assert page.faults == []


def test_a_phone_opens_the_page_and_shows_a_link_s_preview_above_the_list(visit):
    page = visit("clerk")
    page.goto(FAILED)
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_url("**preview=**")
    address = page.url
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    assert page.locator("#preview").bounding_box()["y"] < page.locator("#changelist").bounding_box()["y"]
    assert overflow(page) == 0
    page.locator(".preview-close").click()
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_url("**/change/**")


def test_a_decision_shows_its_facts_beside_the_reason_and_on_a_phone_folded_above(visit):
    page = visit("clerk")
    page.goto(MAIN["orders"] + "?state__exact=awaiting_approval")
    open_first(page)
    page.locator(".order-menu summary").click()
    page.locator('a[href*="/do/pass/"]').click()
    reason, facts = page.locator("#id_reason"), page.locator(".facts .panel")
    assert facts.bounding_box()["x"] > reason.bounding_box()["x"] + reason.bounding_box()["width"]
    page.set_viewport_size({"width": 390, "height": 844})
    expect(facts).to_be_hidden()
    page.locator("#show-facts").focus()
    page.keyboard.press("Space")
    assert facts.bounding_box()["y"] < reason.bounding_box()["y"]
    is_fine(page, BOTH)
