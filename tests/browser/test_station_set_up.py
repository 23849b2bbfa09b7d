import asyncio
import queue
import threading

import pytest
from playwright.sync_api import expect

from simulator import Station
from tests.browser.screenshots import keep_screenshot
from tests.browser.test_overview import grave_faults, sign_in

TAKE = {"en": "Take into service", "fr": "Mettre en service", "de": "In Betrieb nehmen"}
POWER = {"en": "7.4 kW", "fr": "7,4 kW", "de": "7,4 kW"}


@pytest.fixture
def profiles(empty_site):
    """A station that has just been set to the load manager; gives the charging profiles it is sent."""
    sent, loop, has_booted = queue.Queue(), asyncio.new_event_loop(), threading.Event()

    def hear(event):
        if event.action == "BootNotificationResponse":
            has_booted.set()
        if (event.direction, event.action) == ("in", "SetChargingProfile"):
            sent.put(event.payload["csChargingProfiles"])

    station = Station("XEV-1", empty_site.url.replace("http", "ws") + "/ocpp", on_event=hear)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    empty_site.tell("seed-empty")
    loop.call_soon_threadsafe(station.start)
    assert has_booted.wait(10)
    yield sent
    asyncio.run_coroutine_threadsafe(station.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_a_station_is_set_up_from_its_first_connection_to_its_limit(empty_site, profiles, open_page, language):
    page = open_page(locale=language)
    sign_in(page, empty_site)
    stations = f"{empty_site.url}/admin/stations/station/"
    page.goto(stations)
    page.get_by_role("link", name="XEV-1").click()
    page.get_by_role("button", name=TAKE[language]).click()
    expect(page.get_by_role("button", name=TAKE[language])).to_have_count(0)
    page.locator("[name=name]").fill("Place 1")
    page.locator("[name=phase_rotation]").select_option("L2")
    expect(page.locator("[data-power-of=id_max_current_a]")).to_have_text(POWER[language])
    page.locator("[name=phase_rotation]").select_option("L2L3L1")
    page.locator("[name=max_current_a]").fill("16")
    expect(page.locator("[data-power-of=id_max_current_a]")).to_have_text("11 kW")
    if language == "en":
        keep_screenshot(page, "station")
    page.locator("button[name=_save]").click()
    expect(page).to_have_url(stations)
    expect(page.get_by_role("row", name="Place 1")).to_contain_text("L2L3L1")
    if language == "en":
        keep_screenshot(page, "stations")
    empty_site.tell("balance")
    schedule = profiles.get(timeout=10)["chargingSchedule"]
    assert (schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"][0]["limit"]) == ("A", 16)


def test_the_pages_of_stations_are_accessible_and_never_scroll_sideways(site, open_page):
    page = open_page(width=375, theme="dark")
    sign_in(page, site)
    page.goto(f"{site.url}/admin/stations/station/")
    number = page.get_by_role("link", name="Place 01").get_attribute("href").split("/")[-3]
    for path in ("station/", f"station/{number}/change/", f"station/configure-together/?stations={number}", "circuit/"):
        page.goto(f"{site.url}/admin/stations/{path}")
        assert (path, grave_faults(page)) == (path, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
