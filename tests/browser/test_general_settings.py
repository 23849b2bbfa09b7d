import pytest
from playwright.sync_api import expect

from tests.browser.screenshots import keep_screenshot
from tests.browser.test_overview import grave_faults, sign_in

WORDS = {
    "en-GB": {
        "dynamic": "Dynamic",
        "static": "Static",
        "fuse": "Fuse of the installation",
        "static current": "Current of all stations together",
        "primary": "Primary of the current transformers",
        "kind": "Kind of measurement",
        "share": "Left empty it is 8.0 A, an equal share of 8 stations.",
        "left": "leaves 64.0 A for building and cars",
        "refused": "Static mode needs the current that all stations together may draw.",
        "saved": "Saved. It takes effect",
        "save": "Save",
    },
    "fr-FR": {
        "dynamic": "Dynamique",
        "static": "Statique",
        "fuse": "Fusible de l’installation",
        "static current": "Courant de toutes les bornes ensemble",
        "primary": "Primaire des transformateurs de courant",
        "kind": "Type de mesure",
        "share": "Laissé vide, il vaut 8,0 A, une part égale de 8 bornes.",
        "left": "laisse 64,0 A au bâtiment et aux voitures",
        "refused": "Le mode statique demande le courant",
        "saved": "Enregistré. Les réglages",
        "save": "Enregistrer",
    },
    "de-DE": {
        "dynamic": "Dynamisch",
        "static": "Statisch",
        "fuse": "Hauptsicherung",
        "static current": "Strom aller Ladestationen zusammen",
        "primary": "Primärstrom der Stromwandler",
        "kind": "Art der Messung",
        "share": "Leer gelassen sind es 8,0 A, der gleiche Anteil von 8 Ladestationen.",
        "left": "lässt 64,0 A für Gebäude und Autos",
        "refused": "Der statische Modus braucht den Strom",
        "saved": "Gespeichert. Es gilt",
        "save": "Speichern",
    },
}


def open_settings(site, page):
    sign_in(page, site)
    page.goto(f"{site.url}/admin/energy/installation/")
    return page


@pytest.mark.parametrize(
    ("locale", "width", "theme"), [("en-GB", 1440, "light"), ("fr-FR", 390, "dark"), ("de-DE", 390, "light")]
)
def test_the_settings_are_walked_dynamic_and_static(site, open_page, locale, width, theme):
    words = WORDS[locale]
    page = open_settings(site, open_page(locale=locale, width=width, theme=theme))
    assert grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    static_current = page.get_by_label(words["static current"])
    expect(page.get_by_role("radio", name=words["dynamic"])).to_be_checked()
    expect(static_current).to_be_hidden()
    expect(page.locator("#id_surplus")).to_be_visible()
    page.get_by_label(words["kind"]).select_option("ct_5a")
    page.get_by_label(words["primary"]).fill("250")
    page.get_by_label(words["fuse"]).fill("80")
    expect(page.locator("#derated")).to_have_text(words["left"])
    expect(page.locator("#share")).to_have_text(words["share"])
    page.get_by_label(words["fuse"]).fill("80 A")
    page.get_by_label(words["primary"]).focus()
    expect(page.locator("#row_fuse_a li")).to_have_count(1)
    expect(page.get_by_label(words["fuse"])).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#derated")).to_be_hidden()
    page.get_by_label(words["fuse"]).fill("80")
    page.get_by_label(words["primary"]).focus()
    expect(page.locator("#row_fuse_a li")).to_have_count(0)
    if locale == "en-GB":
        page.locator("#main").evaluate("element => element.scrollIntoView()")
        keep_screenshot(page, "general-settings-dynamic")

    page.get_by_role("radio", name=words["static"]).check()
    expect(static_current).to_be_visible()
    if locale == "en-GB":
        keep_screenshot(page, "general-settings-static")
    page.get_by_role("button", name=words["save"], exact=True).click()
    alert = page.get_by_role("alert").filter(has_text=words["refused"])
    expect(alert).to_be_visible()
    alert.get_by_role("link").click()
    expect(static_current).to_be_focused()
    expect(page.locator("#row_static_limit_a")).to_contain_text(words["refused"])
    assert grave_faults(page) == []

    static_current.fill("40" if locale == "en-GB" else "40,5")
    page.get_by_role("button", name=words["save"], exact=True).click()
    expect(page.get_by_text(words["saved"])).to_be_visible()
    expect(static_current).to_have_value("40" if locale == "en-GB" else "40,5")


def test_the_unbalance_limit_of_the_country_is_entered_with_one_press(site, open_page):
    page = open_settings(site, open_page(width=390))
    offer, limit = page.locator("#unbalance-hint"), page.get_by_label("Unbalance limit")
    page.get_by_label("Country").select_option("FR")
    expect(offer).to_be_hidden()
    page.get_by_label("Country").select_option("AT")
    offer.get_by_role("button", name="Enter 16 A, usual in the country chosen below").click()
    expect(limit).to_have_value("16")
    expect(limit).to_be_focused()
    expect(offer).to_be_hidden()


def test_the_models_follow_the_vendor_and_without_scripts_every_field_shows(site, browser, open_page):
    page = open_settings(site, open_page())
    vendor = page.get_by_label("Vendor of the meter")
    expect(vendor).to_have_value("Eastron")
    vendor.select_option("Hager")
    offered = page.locator("#id_meter_model option").evaluate_all("options => options.map(option => option.value)")
    assert offered
    assert all(value.startswith("hager") for value in offered)
    page.get_by_label("Model").select_option("hager_no_modbus")
    expect(page.locator("#meter-refusal")).to_contain_text("it cannot protect a fuse")
    vendor.select_option("Another meter")
    expect(page.get_by_label("Register map")).to_be_visible()
    vendor.select_option("No meter")
    expect(page.get_by_label("Address", exact=True)).to_be_hidden()

    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(page.url)
    shown = plain.locator("#installation_form .setting").evaluate_all("rows => rows.map(row => !row.hidden)")
    context.close()
    assert shown == [True] * 17


def test_a_meter_is_read_and_searched_beside_the_form_and_leaving_with_changes_asks_first(site, open_page):
    page, asked = open_settings(site, open_page()), []

    def stay(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    site.tell("turn 21.5 13.2")
    expect(page.locator("#meter-line")).to_contain_text("34.7 A")
    page.get_by_text("Search meters").first.click()
    page.get_by_label("On the network (Modbus TCP)").fill("127.0.0.1:9")
    page.get_by_label("On the network (Modbus TCP)").press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status").filter(has_text="Search stopped")).to_be_visible()
    site.tell("found-meter tcp://127.0.0.1:9")
    page.reload()
    page.get_by_text("Search meters").first.click()
    page.get_by_role("button", name="Use this one").click()
    expect(page.get_by_label("Address", exact=True)).to_have_value("tcp://127.0.0.1:9")
    expect(page.get_by_role("status").filter(has_text="not saved yet")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Read the meter now").click()
    expect(page.locator("#meter-reading")).to_contain_text("The meter does not answer.")
    page.on("dialog", stay)
    page.get_by_role("link", name="Circuits").click()
    expect(page.get_by_label("Address", exact=True)).to_have_value("tcp://127.0.0.1:9")
    assert asked == ["beforeunload"]
