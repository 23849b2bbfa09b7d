"""A file of badges, from their list through the preview to "2 badges added", on a phone and with the keyboard."""

from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

FILE = "badgeId;type;comment\r\nA1;STANDARD;Zoé\r\nA2;SUPERVISOR;\r\nA3;VIP;\r\n".encode("cp1252")


def test_badges_come_from_a_file_without_a_mouse(site, open_page):
    page = open_page(width=390, theme="dark")
    sign_in(page, site)
    page.goto(f"{site.url}/admin/badges/badge/")
    page.get_by_role("link", name="Import a file").press("Enter")
    expect(page.locator("#import-state")).to_have_text("No file was imported yet.")
    page.get_by_label("CSV file").set_input_files({"name": "garage.csv", "mimeType": "text/csv", "buffer": FILE})
    page.get_by_role("button", name="Check the file").press("Enter")

    expect(page.get_by_role("progressbar", name="garage.csv")).to_be_visible()
    assert page.evaluate("document.getElementById('import-state').ariaLive") == "polite"
    assert grave_faults(page) == []
    page.evaluate("window.stayed = true")
    site.tell("work-on-import")
    expect(page.locator("#import-state")).to_have_text("The file was checked. Nothing is changed yet.")
    assert page.evaluate("window.stayed")
    expect(page.get_by_role("row", name="A3")).to_contain_text("Wrong")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert grave_faults(page) == []

    page.get_by_role("button", name="Import 2 badges").press("Enter")
    assert page.evaluate("window.stayed")  # the wrong row has to be left out on purpose
    page.get_by_label("Leave out the 1 wrong row").press("Space")
    page.get_by_role("button", name="Import 2 badges").press("Enter")
    expect(page.locator("#import-state")).to_have_text("The badges are written.")
    site.tell("work-on-import")
    expect(page.locator("#import-state")).to_contain_text("2 badges added")
    page.get_by_role("link", name="To the badges").press("Enter")
    expect(page.get_by_role("link", name="A1", exact=True)).to_be_visible()
