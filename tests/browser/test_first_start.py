"""The first start as a person lives it, in three languages, in both themes, at the desk and on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.screenshots import keep_screenshot
from tests.browser.test_overview import grave_faults

LOOKS = {
    "en": {"locale": "en-GB", "height": 900},
    "fr": {"locale": "fr-FR", "theme": "dark"},
    "de": {"locale": "de-DE", "width": 390, "height": 844},
}
WORDS = {
    "en": ("Save the password", "Germany", "Confirm", "Back", "Restricted", "Step 4 of 4", "Before you start"),
    "fr": ("Enregistrer le mot de passe", "Allemagne", "Valider", "Précédent", "Restreint", "Étape 4 sur 4", "Avant"),
    "de": ("Passwort speichern", "Deutschland", "Bestätigen", "Zurück", "Eingeschränkt", "Schritt 4 von 4", "Bevor"),
}


def look_at(page, step):
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if page.locator("html[lang=en]").count():
        keep_screenshot(page, f"first-start-{step}")


@pytest.mark.parametrize("language", LOOKS)
def test_an_administrator_sets_the_product_up(empty_site, open_page, language):
    save, germany, confirm, back, restricted, last_step, title = WORDS[language]
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
    look_at(page, "password")
    page.get_by_role("button", name=save).click()

    page.locator("[name=country]").select_option(label=germany)
    expect(page.locator("[name=time_zone]")).to_have_value("Europe/Berlin")
    expect(page.locator("#clock .time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    look_at(page, "place")
    page.get_by_role("button", name=confirm).click()

    page.get_by_role("button", name=back).click()
    expect(page.locator("[name=country]")).to_have_value("DE")
    page.get_by_role("button", name=confirm).click()
    page.get_by_role("radio", name=restricted).check()
    look_at(page, "access")
    page.get_by_role("button", name=confirm).click()

    expect(page.locator(".steps p")).to_have_text(last_step)
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    look_at(page, "tutorial")
    page.locator(".buttons .button:not(.quiet)").click()
    expect(page).to_have_url(empty_site.url + "/")
