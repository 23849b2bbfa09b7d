import asyncio
import threading

import pytest
from playwright.sync_api import expect

from simulator import Car, Station
from tests.browser.test_overview import grave_faults, sign_in


class Garage:
    """A simulated station of place 6 with a car before it, on a loop of its own."""

    def __init__(self, site):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.station = self.run(self._begin(site.url.replace("http", "ws") + "/ocpp"))

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    async def _begin(self, url):
        station = Station("EV-06", url, tick_s=0.05)
        station.start()
        async with asyncio.timeout(15):
            while not station.is_online:
                await asyncio.sleep(0.02)
        station.plug(Car())
        return station

    def present(self, id_tag):
        self.loop.call_soon_threadsafe(self.station.present_badge, id_tag)

    def close(self):
        self.run(self.station.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def garage(site):
    garage = Garage(site)
    yield garage
    garage.close()


def test_badges_presented_at_a_station_appear_by_themselves_start_nothing_and_are_given_a_type(site, open_page, garage):
    page = open_page(width=390)
    sign_in(page, site)
    page.goto(f"{site.url}/admin/badges/badge/")
    page.get_by_role("link", name="Scan badges").click()
    page.get_by_label("At chosen stations").check()
    page.get_by_label("Place 06").check()
    page.get_by_role("button", name="Begin to scan").click()
    expect(page.get_by_text("Nothing was presented yet.")).to_be_visible()
    page.evaluate("window.stayed = true")
    rows = page.locator("#scanned tbody tr")
    for number, badge in enumerate(("04C0FFEE", "EEFFC004", "04a100000001"), start=1):
        garage.present(badge)
        expect(rows).to_have_count(number)
    known, reverse, new = (rows.nth(number) for number in range(3))
    expect(new).to_contain_text("New")
    expect(reverse).to_contain_text("Looks like 04C0FFEE")
    expect(known).to_contain_text("Known · Standard · Anna Weber")
    assert page.evaluate("window.stayed")
    assert grave_faults(page) == []
    page.get_by_role("button", name="Stop scanning").click()
    expect(page.get_by_text("The scan has ended")).to_be_visible()
    assert garage.station.connectors[1].transaction is None
    page.get_by_role("link", name="Give the pending badges their type").click()
    for row in (0, 1):
        page.locator("[name=_selected_action]").nth(row).check()
    page.locator("select[name=action]").select_option("configure_together")
    page.locator("button[name=index]").click()
    page.locator("[name=type]").select_option("supervisor")
    expect(page.get_by_label("Change: type")).to_be_checked()
    assert grave_faults(page) == []
    page.get_by_role("button", name="Change now").click()
    expect(page.get_by_role("link", name="Pending (0)")).to_be_visible()
    expect(page.get_by_role("link", name="Supervisor (2)")).to_be_visible()
