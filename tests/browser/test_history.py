from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

MANUAL = Path(__file__).parents[1] / "exports" / "manual.csv"


def test_a_history_is_looked_at_and_the_export_downloaded_on_a_phone_with_the_keyboard(site, open_page):
    page = open_page(width=390, theme="dark")
    sign_in(page, site)
    page.goto(f"{site.url}/export/import/")
    page.locator("[type=file]").set_input_files(MANUAL)
    page.get_by_role("button", name="Upload and check").press("Enter")
    expect(page.get_by_role("button", name="Import 34 rows")).to_be_visible()
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Export data").press("Enter")
    expect(page.get_by_label("Start date")).to_be_hidden()
    page.get_by_label("Month").and_(page.get_by_role("radio")).press("ArrowDown")
    page.get_by_label("Start date").fill((date.today() - timedelta(days=30)).isoformat())  # noqa: DTZ011
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").press("Enter")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("transactionId,evcsId")
    assert any("Anna Weber" in line for line in lines)
