import json

import pytest
from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

CONFIGURATION = {
    "configurationKey": [
        {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
        {"key": "MeterValueSampleInterval", "readonly": False, "value": "10"},
        {"key": "MeterValuesSampledData", "readonly": False, "value": "Energy.Active.Import.Register," * 6},
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
    ]
}


@pytest.fixture
def open_command(site, open_page):
    """Open the page of an operation for the first place of the garage."""

    def open_one(action, **look):
        page = open_page(**look)
        sign_in(page, site)
        page.goto(f"{site.url}/admin/stations/station/")
        page.get_by_role("link", name="Place 01").click()
        page.goto(page.url.replace("/change/", f"/send-command/{action}/" if action else "/send-command/"))
        return page

    return open_one


def send(page):
    page.locator("form[method=post] button[type=submit]", has_text="Send").click()


def test_a_command_is_chosen_by_keyboard_from_the_stations_page(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/stations/station/")
    page.get_by_role("link", name="Place 01").click()
    page.get_by_role("link", name="All commands").press("Enter")
    page.get_by_role("link", name="Unlock connector").press("Enter")
    expect(page.get_by_role("heading", name="Unlock connector")).to_be_visible()
    expect(page.get_by_label("Connector")).to_have_value("1")
    page.get_by_role("button", name="Send", exact=True).press("Enter")
    expect(page.get_by_text("Waiting for the station")).to_be_visible()


def test_an_often_needed_command_is_reached_by_keyboard_from_the_menu_of_the_station(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/stations/station/")
    page.get_by_role("link", name="Place 01").click()
    page.locator("summary", has_text="Commands").press("Enter")
    page.get_by_role("link", name="Remote stop").press("Enter")
    expect(page.get_by_label("Charging session")).to_contain_text("connector 1, badge 04A100000001")


def test_the_answer_appears_by_itself_and_its_keys_can_be_filtered(site, open_command):
    page = open_command("GetConfiguration")
    send(page)
    expect(page.get_by_text("Waiting for the station")).to_be_visible()
    page.evaluate("window.stayed = true")
    page.get_by_label("Key").fill("Heart")
    site.tell(f"answer {json.dumps(CONFIGURATION)}")
    rows = page.locator("#settings tbody tr:visible")
    expect(rows).to_have_count(4)
    assert page.evaluate("window.stayed")
    expect(page.get_by_label("Key", exact=True)).to_have_value("Heart")
    page.get_by_label("Filter the keys").fill("metervalue")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Change MeterValueSampleInterval").click()
    expect(page.get_by_label("Value")).to_have_value("10")


def test_a_mistake_is_said_at_its_field_and_on_top(open_command):
    page = open_command("GetDiagnostics")
    send(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing was sent.")
    alert.get_by_role("link", name="Address (URL)").click()
    expect(page.get_by_label("Address (URL)")).to_be_focused()
    assert grave_faults(page) == []


def choose_two(page, site):
    """Choose the first two places in the list of stations, and a soft reset for them."""
    page.goto(f"{site.url}/admin/stations/station/")
    for row in (0, 1):
        page.locator("[name=_selected_action]").nth(row).check()
    page.locator("select[name=action]").select_option("send_to_chosen")
    page.locator("button[name=index]").click()
    page.get_by_role("link", name="Reset", exact=True).click()
    send(page)


def test_several_stations_are_followed_on_one_page_and_can_be_stopped(site, open_page):
    page = open_page()
    sign_in(page, site)
    choose_two(page, site)
    expect(page.get_by_role("status").filter(has_text="0 of 2")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("cell", name="Withdrawn")).to_have_count(2)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    choose_two(page, site)
    site.tell('answer {"status": "Accepted"}')
    expect(page.get_by_role("cell", name="Accepted")).to_have_count(2)
    expect(page.get_by_role("status").filter(has_text="2 of 2")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 375)])
def test_the_page_of_several_stations_is_accessible(site, open_page, theme, width):
    page = open_page(width=width, theme=theme)
    sign_in(page, site)
    choose_two(page, site)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 375)])
def test_the_pages_are_accessible_and_never_scroll_sideways(site, open_command, theme, width):
    page = open_command("GetConfiguration", width=width, theme=theme)
    send(page)
    site.tell(f"answer {json.dumps(CONFIGURATION)}")
    expect(page.locator("#settings")).to_be_visible()
    address = page.url.split("/GetConfiguration/")[0]
    for path in (
        "/",
        "/ReserveNow/",
        "/Reset/",
        "/SetChargingProfile/",
        "/GetLog/",
        "/Reset/?json",
        "/GetConfiguration/",
    ):
        page.goto(address + path)
        assert (path, grave_faults(page)) == (path, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
