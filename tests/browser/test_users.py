"""Users on their pages: from the temporary password to one's own, and to the list of changes."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_overview import grave_faults, sign_in

OWN_PASSWORD = "Garage-2027"


def test_a_new_user_chooses_a_password_of_their_own_and_finds_their_jobs(site, open_page):
    page = open_page()
    sign_in(page, site)
    page.goto(f"{site.url}/admin/accounts/user/add/")
    page.get_by_label("Username").fill("paul")
    label, field = (page.locator(name).bounding_box() for name in ("label[for=id_username]", "#id_username"))
    assert label["y"] + label["height"] <= field["y"]
    page.get_by_label("Advanced: sees the overview, manages badges").press("Space")
    page.get_by_label("Password", exact=True).fill(site.password)
    page.get_by_label("Password confirmation").fill(site.password)
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{site.url}/admin/accounts/change/?q=paul")
    expect(page.get_by_role("link", name="User: paul", exact=True)).to_be_visible()

    theirs = open_page()
    theirs.goto(f"{site.url}/sign-in/")
    theirs.get_by_label("User name").fill("paul")
    theirs.get_by_label("Password").fill(site.password)
    theirs.locator("form.form button").click()
    expect(theirs.get_by_role("heading", name="Choose a password")).to_be_visible()
    theirs.get_by_label("Present password").fill(site.password)
    theirs.get_by_label("New password", exact=True).fill(OWN_PASSWORD)
    theirs.get_by_label("New password again").fill(OWN_PASSWORD)
    theirs.get_by_role("button", name="Save the password").click()
    expect(theirs.get_by_role("link", name="Badges")).to_be_visible()
    theirs.goto(f"{site.url}/admin/stations/station/")
    expect(theirs.get_by_role("heading", name="Not for this profile")).to_be_visible()
    assert not grave_faults(theirs)


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_the_pages_of_users_and_changes_are_for_everyone(site, open_page, width, theme):
    page = open_page(width=width, theme=theme)
    sign_in(page, site)
    for address in ("accounts/user/", "accounts/user/add/", "accounts/change/"):
        page.goto(f"{site.url}/admin/{address}")
        assert not grave_faults(page), address
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
