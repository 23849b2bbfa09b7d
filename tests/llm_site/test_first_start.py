"""The first start: its steps, and who is led through it."""

import re

import pytest
from django.utils import timezone

from accounts.models import AccessSettings, User
from accounts.services import FIRST_PASSWORD, FIRST_USERNAME, create_first_user, save_user
from energy.models import Installation
from llm_site.site_file.apply import apply_site

pytestmark = pytest.mark.django_db

PASSWORD = "Garage-2026"
PLACE, ACCESS, TUTORIAL, SKIP = (
    "/first-start/place/",
    "/first-start/access/",
    "/first-start/tutorial/",
    "/first-start/skip/",
)


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def administrator(client):
    client.force_login(save_user(username="anna", role="administrator", password=PASSWORD))
    return client


def is_done():
    return AccessSettings.get_solo().setup_done_at is not None


def finish():
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})


def place(country, zone, **more):
    return {"country": country, "time_zone": zone, **more}


def chosen(page, field):
    """Return the chosen option of a select of the page."""
    select = re.search(rf'<select name="{field}".*?</select>', page.content.decode(), re.DOTALL).group()
    return re.search(r'<option value="([^"]*)" selected>', select).group(1)


def kept_place():
    installation = Installation.get_solo()
    return installation.country, installation.time_zone


# The whole way


def test_from_the_delivered_password_each_step_leads_to_the_next(client):
    create_first_user()
    client.post("/sign-in/", {"username": FIRST_USERNAME, "password": FIRST_PASSWORD})
    assert client.get(PLACE).url == "/password/"
    page = client.get("/password/").content.decode()
    assert "Step 1 of 4" in page
    assert "/admin/" not in page
    new = {"old_password": FIRST_PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    landed = client.post("/password/", new, follow=True)
    assert landed.redirect_chain[-1][0] == PLACE
    assert "Step 2 of 4" in landed.content.decode()
    landed = client.post(PLACE, place("DE", "Europe/Berlin"), follow=True)
    assert landed.redirect_chain == [(ACCESS, 302)]
    assert "Step 3 of 4" in landed.content.decode()
    landed = client.post(ACCESS, {"dashboard_access": "restricted"}, follow=True)
    assert landed.redirect_chain == [(TUTORIAL, 302)]
    assert "Step 4 of 4" in landed.content.decode()
    assert kept_place() == ("DE", "Europe/Berlin")
    assert AccessSettings.get_solo().dashboard_access == "restricted"
    assert is_done()
    assert client.get("/").status_code == 200


# Who is led


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_an_administrator_is_led_from_where_people_arrive(administrator, path):
    assert administrator.get(path).url == PLACE


@pytest.mark.parametrize("path", ["/history/", "/tutorial/", "/admin/energy/installation/", "/live/history"])
def test_an_administrator_who_knows_where_to_go_is_not_held(administrator, path):
    assert administrator.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_nobody_is_led_once_the_first_start_is_done(administrator, path):
    finish()
    assert administrator.get(path).status_code == 200


@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_other_users_are_never_held_up(client, role):
    client.force_login(save_user(username="paul", role=role, password=PASSWORD))
    assert client.get("/").status_code == 200


def test_visitors_see_a_public_dashboard_before_the_first_start_is_done(client):
    assert client.get("/").status_code == 200


def test_other_users_with_a_temporary_password_see_no_steps(client):
    client.force_login(save_user(username="paul", role="standard", password=PASSWORD, is_temporary=True))
    assert "Step 1 of 4" not in client.get("/password/").content.decode()


@pytest.mark.parametrize("path", [PLACE, ACCESS, TUTORIAL, "/tutorial/"])
@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_the_pages_are_for_administrators(client, path, role):
    assert client.get(path).url == f"/sign-in/?next={path}"
    client.force_login(save_user(username="paul", role=role, password=PASSWORD))
    assert client.get(path).status_code == 403


def test_others_cannot_skip_the_first_start(client):
    client.force_login(save_user(username="paul", role="advanced", password=PASSWORD))
    assert client.post(SKIP).status_code == 403
    assert not is_done()


# Leaving it


def test_skipping_leads_to_the_tutorial_and_keeps_what_is_there(administrator):
    before = kept_place()
    assert administrator.get(SKIP).status_code == 405
    assert administrator.post(SKIP).url == "/tutorial/"
    assert kept_place() == before
    assert administrator.get("/").status_code == 200


def test_skipping_again_keeps_the_moment_it_was_done(administrator):
    administrator.post(SKIP)
    done_at = AccessSettings.get_solo().setup_done_at
    administrator.post(SKIP)
    assert AccessSettings.get_solo().setup_done_at == done_at


def test_a_step_can_be_opened_again_and_offers_no_skipping_then(administrator):
    assert SKIP in administrator.get(ACCESS).content.decode()
    finish()
    page = administrator.get(ACCESS)
    assert page.status_code == 200
    assert SKIP not in page.content.decode()


# Going back


def test_back_from_the_place_leads_to_the_password_and_from_there_on_again(administrator):
    assert administrator.post(PLACE, place("FR", "Europe/Paris", back="")).url == "/password/"
    page = administrator.get("/password/").content.decode()
    assert f'href="{PLACE}"' in page


def test_what_was_entered_is_there_again_after_going_back_and_nothing_of_it_is_saved(administrator):
    administrator.post(PLACE, place("AT", "Europe/Vienna", back=""))
    page = administrator.get(PLACE)
    assert (chosen(page, "country"), chosen(page, "time_zone")) == ("AT", "Europe/Vienna")
    assert kept_place() == ("FR", "Europe/Paris")
    assert administrator.post(ACCESS, {"dashboard_access": "restricted", "back": ""}).url == PLACE
    assert 'value="restricted" required checked' in administrator.get(ACCESS).content.decode()
    assert AccessSettings.get_solo().dashboard_access == "public"


def test_a_step_that_was_confirmed_shows_what_is_kept(administrator):
    administrator.post(PLACE, place("AT", "Europe/Vienna", back=""))
    administrator.post(PLACE, place("CH", "Europe/Zurich"))
    page = administrator.get(PLACE)
    assert (chosen(page, "country"), chosen(page, "time_zone")) == ("CH", "Europe/Zurich")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "a\x00b", "", "x" * 5000])
def test_nonsense_is_not_kept_when_going_back(administrator, zone):
    administrator.post(PLACE, place("FR", zone, back=""))
    assert chosen(administrator.get(PLACE), "time_zone") == "Europe/Paris"


# Country and time zone


def test_a_changed_country_without_scripts_brings_its_zones_and_asks_again(administrator):
    answer = administrator.post(PLACE, place("DE", "Europe/Paris", listed_for="FR"))
    assert answer.status_code == 200
    assert "is this its time zone?" in answer.content.decode()
    assert (chosen(answer, "country"), chosen(answer, "time_zone")) == ("DE", "Europe/Berlin")
    assert kept_place() == ("FR", "Europe/Paris")
    again = place("DE", "Europe/Paris", listed_for="DE")
    assert administrator.post(PLACE, again).url == ACCESS
    assert kept_place() == ("DE", "Europe/Paris")


def test_a_country_without_zones_of_its_own_takes_any(administrator):
    assert administrator.post(PLACE, place("BV", "Europe/Oslo", listed_for="FR")).url == ACCESS


@pytest.mark.parametrize(
    ("country", "zone", "field"),
    [
        ("XX", "Europe/Paris", "country"),
        ("", "Europe/Paris", "country"),
        ("FR", "Mars/Olympus", "time_zone"),
        ("FR", "a\x00b", "time_zone"),
    ],
)
def test_an_unknown_place_is_refused_at_its_field_and_nothing_is_saved(administrator, country, zone, field):
    answer = administrator.post(PLACE, place(country, zone))
    assert list(answer.context["form"].errors) == [field]
    assert f'href="#id_{field}"' in answer.content.decode()
    assert kept_place() == ("FR", "Europe/Paris")


def test_a_form_without_its_fields_is_refused_at_both(administrator):
    assert [*administrator.post(PLACE, {"listed_for": "FR"}).context["form"].errors] == ["country", "time_zone"]


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ("de-DE,de;q=0.9,en-US;q=0.8", ("DE", "Europe/Berlin")),
        ("de,en-US;q=0.7,en;q=0.3", ("DE", "Europe/Berlin")),
        ("en-US,en;q=0.9,de-AT;q=0.8", ("AT", "Europe/Vienna")),
        ("en-GB", ("GB", "Europe/London")),
        ("fr-CH", ("CH", "Europe/Zurich")),
        ("en-US,en;q=0.5", ("FR", "Europe/Paris")),
        ("zh-Hans,de-XX;q=x", ("FR", "Europe/Paris")),
    ],
)
def test_the_first_proposal_is_where_the_browser_says_that_people_live(administrator, languages, expected):
    page = administrator.get(PLACE, headers={"accept-language": languages})
    assert (chosen(page, "country"), chosen(page, "time_zone")) == expected
    assert kept_place() == ("FR", "Europe/Paris")


def test_a_place_that_was_confirmed_is_not_guessed_again(administrator):
    german = {"accept-language": "de-DE"}
    administrator.get(PLACE, headers=german)
    administrator.post(PLACE, place("FR", "Europe/Paris"), headers=german)
    assert chosen(administrator.get(PLACE, headers=german), "country") == "FR"


def test_a_place_that_a_site_file_gave_stays_though_the_lists_do_not_know_it(administrator):
    apply_site("installation: {country: ZZ, time_zone: Etc/GMT-3}")
    page = administrator.get(PLACE)
    assert (chosen(page, "country"), chosen(page, "time_zone")) == ("ZZ", "Etc/GMT-3")
    assert administrator.post(PLACE, place("ZZ", "Etc/GMT-3", listed_for="ZZ")).url == ACCESS


def test_the_page_shows_the_clock_of_the_machine_and_no_field_to_set_it(administrator):
    page = administrator.get(PLACE).content.decode()
    assert "The operating system keeps this clock" in page
    assert page.count("<input") == page.count('type="hidden"')


def test_another_setting_that_is_wrong_does_not_hold_up_the_place(administrator):
    Installation.objects.update_or_create(pk=1, defaults={"mode": "static", "static_limit_a": None})
    assert administrator.post(PLACE, place("DE", "Europe/Berlin")).url == ACCESS


def test_an_unknown_access_is_refused(administrator):
    answer = administrator.post(ACCESS, {"dashboard_access": "everyone"})
    assert answer.status_code == 200
    assert 'href="#id_dashboard_access"' in answer.content.decode()
    assert not is_done()


# A site file in its place

WITH_ADMINISTRATOR = "users: [{username: anna, role: administrator, password: Garage-Nord-1}]"


def test_a_site_file_with_installation_and_administrator_is_a_first_start():
    create_first_user()
    outcome = apply_site(f"installation: {{fuse_a: 63}}\n{WITH_ADMINISTRATOR}")
    assert is_done()
    assert "setup: changed" in outcome.lines()
    assert not User.objects.get(username=FIRST_USERNAME).is_active
    assert apply_site(f"installation: {{fuse_a: 63}}\n{WITH_ADMINISTRATOR}").lines() == ["nothing changed"]


@pytest.mark.parametrize(
    "text",
    [
        "installation: {fuse_a: 63}",
        WITH_ADMINISTRATOR,
        f"setup: {{done: false}}\ninstallation: {{fuse_a: 63}}\n{WITH_ADMINISTRATOR}",
        "installation: {fuse_a: 63}\nusers: [{username: anna, role: administrator}]",
        "installation: {fuse_a: 63}\nusers: [{username: paul, role: advanced, password: Garage-Nord-1}]",
    ],
)
def test_a_site_file_that_leaves_something_to_ask_is_none(text):
    apply_site(text)
    assert not is_done()


def test_a_site_file_that_says_so_makes_it_done(administrator):
    apply_site("setup: {done: true}")
    assert administrator.get("/").status_code == 200
