import asyncio
import threading

import pytest
from playwright.sync_api import expect

from simulator import Station
from tests.browser.test_overview import grave_faults, sign_in
from tests.stations.cpo.operator import Operator


@pytest.fixture
def operator(site):
    """An operator's server on loopback, and a station of the garage that is connected; gives a way to act on it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    server, has_booted = Operator(), threading.Event()
    station = Station(
        "EV-06",
        site.url.replace("http", "ws") + "/ocpp",
        on_event=lambda event: has_booted.set() if event.action == "BootNotificationResponse" else None,
    )
    run(server.open())
    loop.call_soon_threadsafe(station.start)
    assert has_booted.wait(10)
    server.run = run
    yield server
    run(server.close())
    run(station.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_a_station_is_shown_as_accepted_from_its_operators_word_until_that_goes(site, operator, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/stations/cposerver/add/")
    page.locator("[name=name]").fill("City charging")
    page.locator("[name=url]").fill(operator.url)
    page.locator("button[name=_save]").click()
    page.get_by_role("link", name="Connect stations").click()
    place = page.get_by_role("region", name="Place 06")
    expect(place).to_contain_text("Not connected")
    place.get_by_label("Identity at the operator").fill("FR*A*E6")
    place.get_by_role("button", name="Connect", exact=True).click()
    expect(place).to_contain_text("Accepted by service provider", timeout=10_000)
    assert [identity for identity, action, *_rest in operator.seen if action == "BootNotification"] == ["FR%2AA%2AE6"]
    page.evaluate("window.stayed = true")
    assert grave_faults(page) == []
    operator.run(operator.close())
    expect(place).to_contain_text("Cannot reach the operator", timeout=10_000)
    expect(place).to_contain_text("Who may begin meanwhile: Badges known from before.")
    expect(place).not_to_contain_text("Accepted by service provider")
    assert page.evaluate("window.stayed")
