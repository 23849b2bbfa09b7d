import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from tests.browser.screenshots import keep_screenshot


def sign_in(page, site, name="admin"):
    page.goto(f"{site.url}/sign-in/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(site.password)
    page.locator("form.form button").click()
    expect(page.locator("#curve")).to_have_class("card has-points")


def grave_faults(page):
    violations = Axe().run(page).response["violations"]
    return [
        (fault["id"], [node["html"] for node in fault["nodes"]])
        for fault in violations
        if fault["impact"] in ("serious", "critical")
    ]


def figures_of(page, line):
    return page.locator(".lines > div").filter(has=page.locator("dt", has_text=line)).locator(".figures b")


def test_a_new_turn_of_the_loop_appears_without_reloading(site, open_page):
    page = open_page()
    page.goto(site.url)
    page.evaluate("window.stayed = true")
    site.tell("turn 21.5 13.2")
    expect(figures_of(page, "L1")).to_have_text(["21.5", "13.2"])
    expect(page.locator(".legend .building dd")).to_have_text("21.5 A")
    assert page.evaluate("window.stayed")


def test_a_line_over_its_limit_says_so_in_words(site, open_page):
    page = open_page()
    page.goto(site.url)
    site.tell("turn 38 27")
    expect(page.locator(".lines > div.over")).to_have_count(3)
    expect(page.locator(".lines .chip.fault").first).to_have_text("Over")


def test_the_marks_stay_under_each_other_when_one_line_is_over(site, open_page):
    page = open_page()
    page.goto(site.url)
    site.tell("turn 24.5 27")
    expect(page.locator(".lines > div.over")).to_have_count(1)
    marks = page.locator(".lines line.usable").evaluate_all("all => all.map(mark => mark.getBoundingClientRect().x)")
    assert len(marks) == 3
    assert max(marks) - min(marks) < 0.5


def test_a_pause_of_the_loop_is_a_gap_in_the_curve(site, open_page):
    site.tell("pause 420 180")
    page = open_page()
    page.goto(site.url)
    expect(page.locator("#curve")).to_have_class("card has-points")
    box = page.locator(".plot .u-over").bounding_box()
    for minutes_ago, reading in ((5, re.compile("^–$")), (9, re.compile(" A$"))):
        page.mouse.move(box["x"] + box["width"] * (1 - minutes_ago / 15), box["y"] + box["height"] / 2)
        expect(page.locator(".legend .building dd")).to_have_text(reading)


def test_a_silent_meter_is_told_with_its_consequence_and_its_cause(site, open_page):
    page = open_page()
    sign_in(page, site)
    site.tell("meter-silent no answer from 192.0.2.1 within 1 s")
    notice = page.locator(".notice.degraded")
    expect(notice).to_contain_text("Every station is at its fail-safe current.")
    expect(notice).to_contain_text("no answer from 192.0.2.1 within 1 s")
    notice.get_by_role("link", name="Check the meter").click()
    expect(page).to_have_url(f"{site.url}/admin/energy/installation/#meter")


def test_the_page_says_when_the_connection_is_lost_and_comes_back_by_itself(site, open_page):
    page = open_page()
    page.goto(site.url)
    expect(page.locator("#curve")).to_have_class("card has-points")
    site.stop_web()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost, figures from", timeout=20_000)
    site.start_web()
    expect(page.get_by_role("alert")).to_be_hidden(timeout=30_000)
    site.tell("turn 17.5 11")
    expect(figures_of(page, "L1")).to_have_text(["17.5", "11.0"])


def test_a_visitor_sees_free_places_but_no_badge(site, open_page):
    page = open_page()
    page.goto(site.url)
    expect(page.locator(".places")).to_contain_text("free places of 8")
    expect(page.locator("table.sessions")).to_contain_text("Place 01")
    site.tell("turn 21.5 13.2")
    expect(figures_of(page, "L1")).to_have_text(["21.5", "13.2"])
    assert "Anna Weber" not in page.content()
    assert "04A1" not in page.content()


def test_a_user_sees_whose_session_it_is(site, open_page):
    page = open_page()
    sign_in(page, site, "marie")
    expect(page.get_by_role("row", name="Place 01")).to_contain_text("Anna Weber")


def test_the_chosen_line_stays_chosen_while_the_page_lives(site, open_page):
    page = open_page()
    page.goto(site.url)
    page.get_by_label("L2").check()
    site.tell("turn 21.5 13.2")
    expect(page.locator(".legend .building dd")).to_have_text("17.0 A")
    expect(page.locator("[name=line]:checked")).to_have_value("1")


def test_the_curve_shows_a_day_a_week_and_all_lines(site, open_page):
    site.tell("history")
    page = open_page()
    page.goto(site.url)
    for span, table in (("Day", "day"), ("Week", "week")):
        page.get_by_label(span, exact=True).check()
        expect(page.locator(".legend .charging dd")).to_have_text(re.compile(r"^\d+\.\d A$"))
        expect(page.locator(".legend .at dd")).to_have_text(re.compile(r"^\w{3},? \d\d:\d\d$"))
        expect(page.get_by_role("link", name="Show as table")).to_have_attribute(
            "href", re.compile(f"/history/\\?span={table}$")
        )
    page.get_by_label("All", exact=True).check()
    expect(page.locator(".legend .charging dd")).to_have_text(re.compile(r"^\d+\.\d · \d+\.\d · \d+\.\d A$"))
    page.get_by_role("link", name="Show as table").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Last 7 days")
    expect(page.locator("tbody tr").nth(100)).to_be_visible()


def test_an_administrator_stops_a_charging_and_sees_what_came_of_it(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.on("dialog", lambda dialog: dialog.accept())
    row = page.get_by_role("row", name="Place 01")
    row.get_by_role("button", name="Stop").click()
    expect(row.get_by_role("status")).to_have_text("Stop: waiting for the station")
    expect(row.get_by_role("button", name="Stop")).to_be_focused()
    site.tell('answer {"status": "Accepted"}')
    expect(row.get_by_role("status")).to_have_text("Stop: Accepted")
    row.get_by_role("button", name="Serve first").click()
    expect(row).to_contain_text("Goes before the others.")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.context.clear_cookies()
    row.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_contain_text("This was not done")


def test_alarms_and_waiting_cars_are_told_to_who_is_signed_in(site, open_page):
    page = open_page(width=375, theme="dark")
    sign_in(page, site)
    site.tell("trouble")
    expect(page.locator(".alarms .notice")).to_have_count(4)
    expect(page.locator(".alarms")).to_contain_text("Place 03 does not obey: its car draws 17.2 A.")
    expect(page.locator(".alarms").get_by_role("link")).to_have_count(4)
    site.tell("wait")
    expect(page.locator("#all-wait")).to_contain_text("The cars wait for a moment")
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_language_is_chosen_in_the_header_and_the_stream_speaks_it(site, open_page):
    page = open_page()
    page.goto(site.url)
    page.get_by_role("button", name="DE, Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    site.tell("turn 21.5 13.2")
    expect(figures_of(page, "L1")).to_have_text(["21,5", "13,2"])
    expect(page.locator("#state")).to_contain_text("In Betrieb")


def test_the_chosen_theme_is_remembered(site, open_page):
    page = open_page(theme="light")
    page.goto(site.url)
    page.get_by_role("button", name="Dark theme").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 20, 25)"


def test_a_restricted_dashboard_asks_for_a_sign_in_and_ends_a_visitors_stream(site, open_page):
    page = open_page()
    page.goto(site.url)
    expect(page.locator("#curve")).to_have_class("card has-points")
    site.tell("restricted")
    expect(page.get_by_label("User name")).to_be_visible(timeout=20_000)


def test_an_empty_installation_says_what_to_do_next(empty_site, open_page):
    page = open_page()
    page.goto(empty_site.url)
    expect(page.locator("#state")).to_contain_text("Not operational — not configured")
    expect(page.locator("#overview")).to_contain_text("No station connected yet.")
    assert grave_faults(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 375])
def test_the_overview_is_accessible_and_never_scrolls_sideways(site, open_page, theme, width):
    page = open_page(width=width, theme=theme)
    sign_in(page, site)
    keep_screenshot(page, f"overview-{'desk' if width > 900 else 'phone'}-{theme}")
    site.tell("turn 38 27")
    expect(page.locator(".lines > div.over")).to_have_count(3)
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR", "de-DE"])
def test_the_overview_never_scrolls_sideways_at_any_width(site, open_page, locale):
    site.tell("turn 38 27")
    page = open_page(locale=locale)
    sign_in(page, site)
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    expect(page.locator(".lines > div.over")).to_have_count(3)
    wide = []
    for width in range(320, 1441, 16):
        page.set_viewport_size({"width": width, "height": 900})
        try:  # the curve follows the window a frame later
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width, timeout=2000)
        except PlaywrightTimeoutError:
            wide.append(width)
    assert wide == []


def test_sessions_are_a_table_on_a_desk_and_cards_on_a_phone(site, open_page):
    page = open_page(width=1280)
    page.goto(site.url)
    shown_as = "getComputedStyle(document.querySelector('table.sessions')).display"
    assert page.evaluate(shown_as) == "table"
    page.set_viewport_size({"width": 375, "height": 900})
    assert page.evaluate(shown_as) == "block"


def test_the_admin_sends_to_the_one_sign_in_page_and_back(site, open_page):
    page = open_page()
    page.goto(f"{site.url}/admin/stations/station/")
    expect(page).to_have_url(f"{site.url}/sign-in/?next=/admin/stations/station/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(site.password)
    page.locator("form.form button").click()
    expect(page).to_have_url(f"{site.url}/admin/stations/station/")
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.locator("#curve")).to_have_class("card has-points")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/password/", "/history/"])
def test_the_other_pages_are_accessible(site, open_page, theme, path):
    page = open_page(width=375, theme=theme)
    sign_in(page, site)
    page.goto(site.url + path)
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sign_in_page_is_accessible(site, open_page, theme):
    page = open_page(width=375, theme=theme)
    page.goto(f"{site.url}/sign-in/")
    assert grave_faults(page) == []


def test_the_five_password_rules_are_ticked_as_one_types(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/password/")
    met = page.locator(".rules .met")
    expect(met).to_have_count(0)
    page.get_by_label("New password", exact=True).press_sequentially("Abc1")
    expect(met).to_have_count(3)
    page.get_by_label("New password", exact=True).press_sequentially("-öüé")
    expect(met).to_have_count(5)
    page.get_by_label("New password again").fill("Abc1-öüé")
    expect(met).to_have_count(6)


def test_nothing_is_loaded_from_another_host_and_no_script_fails(site, open_page):
    page = open_page()
    hosts, errors = set(), []
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto(site.url)
    expect(page.locator("#curve")).to_have_class("card has-points")
    site.tell("turn 21.5 13.2")
    expect(figures_of(page, "L1")).to_have_text(["21.5", "13.2"])
    assert hosts == {site.url.removeprefix("http://")}
    assert errors == []
