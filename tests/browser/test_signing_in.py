"""The life of a user, from the temporary password to the end, in each language."""

import base64
import time

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

NEW_PASSWORD = "Einfahrt-27"


def code_of(key, steps=0):
    """Return the code of a key as an app shows it, now or some steps of 30 s later.

    Never an earlier one: the step may end between reading the code and sending it.
    """
    totp = TOTP(base64.b32decode(key.replace(" ", "")))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def look(page):
    """Hold what every page must be."""
    assert (page.url, grave_faults(page)) == (page.url, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def fill(page, **fields):
    """Fill in the form of our own frame and send it."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    page.locator("main form.form button").click()


@pytest.mark.parametrize(
    ("locale", "theme", "width", "words"),
    [
        ("en-GB", "light", 1440, ("My account", "This browser", "User name or password is wrong.")),
        ("fr-FR", "dark", 390, ("Mon compte", "Ce navigateur", "Nom d’utilisateur ou mot de passe incorrect.")),
        ("de-DE", "dark", 1440, ("Mein Konto", "Dieser Browser", "Benutzername oder Passwort ist falsch.")),
    ],
)
def test_the_life_of_a_user(site, open_page, locale, theme, width, words):
    title, this_browser, refusal = words
    desk = open_page()
    sign_in(desk, site)
    desk.goto(f"{site.url}/admin/accounts/user/add/")
    desk.locator("#id_username").fill("paula")
    for field in ("password1", "password2"):
        desk.locator(f"#id_{field}").fill(site.password)
    desk.locator("button[name=_save]").click()
    expect(desk.get_by_role("link", name="paula").first).to_be_visible()

    page = open_page(locale=locale, theme=theme, width=width)
    page.goto(f"{site.url}/sign-in/")
    fill(page, username="paula", password=site.password)
    expect(page).to_have_url(f"{site.url}/password/")
    fill(page, old_password=site.password, new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)
    expect(page).to_have_url(f"{site.url}/")

    page.goto(f"{site.url}/account/second-factor/")
    key = page.locator(".qr code").inner_text()
    look(page)
    fill(page, password=NEW_PASSWORD, code=code_of(key))
    expect(page.locator(".codes li")).to_have_count(10)
    look(page)
    with page.expect_download() as download:
        page.locator("[download]").click()
    assert download.value.path().read_text().split() == page.locator(".codes code").all_inner_texts()

    page.context.clear_cookies()
    page.goto(f"{site.url}/sign-in/")
    fill(page, username="paula", password=NEW_PASSWORD)
    expect(page).to_have_url(f"{site.url}/sign-in/code/")
    look(page)
    fill(page, code=code_of(key, 1))
    expect(page).to_have_url(f"{site.url}/")
    page.goto(f"{site.url}/account/")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("row")).to_have_count(3)
    expect(page.get_by_text(this_browser)).to_have_count(1)
    look(page)

    desk.get_by_role("link", name="paula").first.click()
    desk.locator("#id_is_active").uncheck()
    desk.locator("button[name=_save]").click()
    expect(desk).to_have_url(f"{site.url}/admin/accounts/user/")
    page.reload()
    expect(page).to_have_url(f"{site.url}/sign-in/?next=/account/")
    fill(page, username="paula", password=NEW_PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text(refusal)
