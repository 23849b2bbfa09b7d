"""The first start as a person lives it, in three languages, in both themes, at the desk and on a phone."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.screenshots import keep_screenshot
from tests.browser.test_overview import grave_faults, sign_in

LOOKS = {
    "en": {"locale": "en-GB", "height": 900},
    "fr": {"locale": "fr-FR", "theme": "dark"},
    "de": {"locale": "de-DE", "width": 390, "height": 844},
}
WORDS = {
    "en": ("Save the password", "Germany", "Confirm", "Back", "Restricted", "Skip", "Set-up tutorial"),
    "fr": ("Enregistrer le mot de passe", "Allemagne", "Valider", "Précédent", "Restreint", "Fermer", "Tutoriel"),
    "de": ("Passwort speichern", "Deutschland", "Bestätigen", "Zurück", "Eingeschränkt", "überspringen", "Einrichtung"),
}


def look_at(page, language, step):
    """Check a step where it is most at risk, dark and narrow; the third look is for the documentation."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if language == "en":
        keep_screenshot(page, f"first-start-{step}")
    else:
        assert grave_faults(page) == []


@pytest.mark.parametrize("language", LOOKS)
def test_an_administrator_sets_the_product_up(empty_site, open_page, language):
    save, germany, confirm, back, restricted, skip, title = WORDS[language]
    empty_site.tell("deliver")
    page = open_page(**LOOKS[language])
    page.goto(empty_site.url + "/sign-in/")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill("1234")
    page.locator("form.form button").click()

    page.locator("[name=old_password]").fill("1234")
    page.locator("[name=new_password1]").fill(empty_site.password)
    page.locator("[name=new_password2]").fill(empty_site.password)
    expect(page.locator(".rules .met")).to_have_count(6)
    look_at(page, language, "password")
    page.get_by_role("button", name=save).click()

    page.locator("[name=country]").select_option(label=germany)
    expect(page.locator("[name=time_zone]")).to_have_value("Europe/Berlin")
    expect(page.locator("#clock .time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    look_at(page, language, "place")
    page.get_by_role("button", name=confirm).click()

    page.get_by_role("button", name=back).click()
    expect(page.locator("[name=country]")).to_have_value("DE")
    page.get_by_role("button", name=confirm).click()
    page.get_by_role("radio", name=restricted).check()
    look_at(page, language, "access")
    page.get_by_role("button", name=confirm).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    expect(page.locator(".steps [aria-current]")).to_contain_text(title)
    look_at(page, language, "tutorial")
    page.locator(".buttons").get_by_role("link", name=skip).click()
    expect(page).to_have_url(empty_site.url + "/")


def test_the_machines_time_is_shown_in_the_chosen_zone_whatever_the_device_says(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.clock.set_fixed_time(datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC")))
    page.goto(site.url + "/first-start/place/")
    expect(page.locator("#differs")).to_be_visible()
    expect(page.locator("optgroup").first.locator("option").first).to_have_text("Europe/Paris")
    page.get_by_label("Time zone").select_option("Indian/Reunion")
    now_ms = int(page.locator("#clock").get_attribute("data-now-ms"))
    now = datetime.fromtimestamp(now_ms / 1000, ZoneInfo("Indian/Reunion"))
    expect(page.locator("#clock .date")).to_have_text(f"{now:%A}, {now.day} {now:%B %Y}")
    expect(page.locator("#clock .time")).to_have_text(f"{now:%H:%M:%S}")
