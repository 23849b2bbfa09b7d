import pytest
from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

PASSPHRASE = "correct horse battery"


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_the_system_pages_can_be_read_by_everyone(site, open_page, width, theme):
    page = open_page(width=width, theme=theme)
    sign_in(page, site)
    for address in ("/admin/system/", "/admin/system/backups/"):
        page.goto(f"{site.url}{address}")
        assert grave_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_health_of_the_parts_follows_them_without_reloading(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/system/")
    page.evaluate("window.stayed = true")
    meter = page.locator("#health tr", has_text="Meter")
    expect(meter).to_contain_text("In order")
    site.tell("meter-silent time-out")
    expect(meter).to_contain_text("Not working", timeout=15_000)
    assert page.evaluate("window.stayed")


def test_a_backup_shows_how_far_it_is_and_can_be_stopped(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/system/backups/")
    page.locator("[name=passphrase]").fill(PASSPHRASE)
    page.locator("[name=again]").fill(PASSPHRASE)
    page.get_by_role("button", name="Make a backup").click()
    expect(page.get_by_role("progressbar")).to_be_visible()  # no worker takes it here
    assert grave_faults(page) == []
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
