from playwright.sync_api import expect

from tests.browser.test_overview import sign_in


def background(page):
    return page.evaluate("getComputedStyle(document.querySelector('.top')).backgroundColor")


def test_the_theme_is_one_for_our_pages_and_the_admins(site, open_page):
    page = open_page(theme="light")
    sign_in(page, site)
    page.get_by_role("button", name="Dark theme").click()
    dark = background(page)
    page.goto(f"{site.url}/admin/stations/station/")
    expect(page.locator("html")).to_have_class("dark")
    assert background(page) == dark
    page.get_by_role("button", name="Dark theme").click()
    expect(page.locator("html")).to_have_class("light")
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "false")
    assert background(page) == "rgb(255, 255, 255)"


def test_the_menu_is_folded_on_the_desk_and_stays_so_on_every_page(site, open_page):
    page = open_page()
    sign_in(page, site)
    width = page.locator("#menu").bounding_box()["width"]
    page.get_by_role("button", name="Side menu").press("Enter")
    page.get_by_role("link", name="Charging stations").click()
    expect(page.get_by_role("heading", name="Charging stations")).to_be_visible()
    assert page.locator("#menu").bounding_box()["width"] < width / 3
    expect(page.get_by_role("button", name="Side menu")).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Side menu").press("Enter")
    assert page.locator("#menu").bounding_box()["width"] == width


def test_a_phone_has_a_bar_and_the_whole_menu_behind_more(site, open_page):
    page = open_page(width=390, height=844)
    sign_in(page, site)
    page.goto(f"{site.url}/admin/badges/badge/")
    expect(page.get_by_role("link", name="Charging sessions")).to_be_hidden()
    page.get_by_role("button", name="More").click()
    expect(page.get_by_text("5 running")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Charging sessions")).to_be_hidden()
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Charging sessions").click()
    expect(page.get_by_role("heading", name="Charging sessions")).to_be_visible()
    for path, bar in (("stations/station/", ".changelist-actions"), ("energy/installation/", "#submit-row")):
        page.goto(f"{site.url}/admin/{path}")
        if path.startswith("stations"):
            page.locator("input.action-select").first.check()
        covered, menu = page.locator(bar).bounding_box(), page.locator("#menu").bounding_box()
        assert covered["y"] + covered["height"] <= menu["y"]


def test_the_menu_shows_where_one_is(site, open_page):
    page = open_page(height=700)
    sign_in(page, site)
    page.goto(f"{site.url}/admin/stations/certificate/")
    expect(page.locator(".entries [aria-current]")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("link", name="Overview", exact=True)).to_be_in_viewport(ratio=1)
    expect(page).to_have_title("Certificates · Local load manager")
    assert page.evaluate("scrollY") == 0


def test_the_state_in_the_menu_and_the_header_lives(site, open_page):
    page = open_page()
    page.goto(site.url)
    site.tell("turn 21.5 13.2")
    expect(page.locator("#menu-state")).to_contain_text("Operational")
    site.tell("meter-silent no answer")
    for place in ("#menu-state", "#header-state"):
        expect(page.locator(place)).to_contain_text("Degraded — meter silent since")
