from playwright.sync_api import expect

from tests.browser.screenshots import keep_screenshot
from tests.browser.test_overview import grave_faults, sign_in


def test_stations_are_searched_chosen_and_configured_together(empty_site, open_page):
    empty_site.tell("seed-empty")
    page = open_page()
    sign_in(page, empty_site)
    page.goto(f"{empty_site.url}/tutorial/")
    page.get_by_role("link", name="Search for stations").click()
    page.get_by_label("Other networks").fill("10.99.0.0/30")  # nobody works here: nothing is sent
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    empty_site.tell("see")
    expect(page.locator("#search-said")).to_contain_text("Search finished")
    expect(page.get_by_role("progressbar")).to_have_count(0)
    keep_screenshot(page, "search")
    assert grave_faults(page) == []
    for name in ("ace-ACE0870096", "go-echarger_123456", "hager-evcs-aB01xY"):
        page.get_by_label(name).check()
    page.get_by_role("button", name="Set up what is ticked").click()
    expect(page.get_by_role("img", name="QR code")).to_have_count(3)
    assert grave_faults(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="Configure together").click()
    page.get_by_label("Take 2 stations into service").check()
    page.locator("[name=max_current_a]").fill("16")
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_role("button", name="Change now").click()
    for identity in ("ACE0870096", "go-echarger_123456"):
        expect(page.get_by_role("row", name=identity)).to_contain_text("Configured")
