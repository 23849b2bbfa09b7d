"""The general settings: one page, one save, a reading of the meter as entered."""

import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from energy import meter_search
from energy.meters.decode import load_maps
from energy.models import Installation, Meter, MeterSearch, Reading, SearchState
from llm_site.site_file.apply import apply_site
from llm_site.site_file.dump import dump_site
from stations.models import Connector, Station, StationState
from stations.signals import decide_again
from tests.energy.meters.device import Server, encode, running_loop

pytestmark = pytest.mark.django_db

PAGE = "/admin/energy/installation/"
DELIVERED = {
    "name": "Garage",
    "mode": "dynamic",
    "phases": "3",
    "fuse_a": "63",
    "derating_percent": "20",
    "static_limit_a": "",
    "surplus": "off",
    "fail_safe_a": "",
    "unbalance_a": "",
    "measurement": "direct",
    "ct_ratio_a": "",
    "meter_model": "",
    "meter_url": "",
    "meter_unit": "1",
    "meter_registers": "",
    "country": "FR",
    "time_zone": "Europe/Paris",
}
METER = {"meter_model": "eastron_sdm630", "meter_url": "tcp://192.168.1.20:502"}
OWN_MAP = json.dumps({"fc": 4, "registers": {f"i{n}": {"addr": 2 * n, "type": "float32"} for n in (1, 2, 3)}})
SDM630 = {**encode(load_maps()["eastron_sdm630"], {"i1": 11, "i2": 7.5, "i3": 23, "p1": 2530, "p2": 1700, "p3": 5000})}


@pytest.fixture(scope="module")
def server():
    with running_loop() as loop:
        server = Server(loop, SDM630)
        yield server
        server.stop()


@pytest.fixture
def administrator(client):
    user = User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


@pytest.fixture
def decided():
    """Count the wishes to decide again."""
    wishes = []

    def note(**_signal):
        wishes.append(1)

    decide_again.connect(note)
    yield wishes
    decide_again.disconnect(note)


def plain(answer):
    """Give the text of a page, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_installation_and_meter_are_saved_at_once_and_decided_on_once(
    administrator, decided, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        page = administrator.post(PAGE, {**DELIVERED, **METER, "derating_percent": "25"}, follow=True)
    installation, meter = Installation.get_solo(), Meter.get_solo()
    assert (installation.name, installation.fuse_a, installation.derating_percent) == ("Garage", 63, 25)
    assert (meter.model, meter.url, meter.unit) == ("eastron_sdm630", "tcp://192.168.1.20:502", 1)
    assert len(decided) == 1
    assert page.redirect_chain == [(PAGE, 302)]
    assert "Saved. It takes effect at the next cycle" in plain(page)
    assert "leaves 47.3 A for building and cars" in plain(page)


def test_charging_from_the_sun_is_saved_and_said_with_its_times(administrator):
    Installation.objects.update_or_create(pk=1, defaults={"timing": {"surplus_start_s": 90}})
    administrator.post(PAGE, {**DELIVERED, **METER, "surplus": "only"})
    assert Installation.get_solo().surplus == "only"
    page = plain(administrator.get(PAGE))
    assert "enough for its minimum for 1.5 min, and stops once it has been too little for 5 min" in page


@pytest.mark.parametrize(
    "meter",
    [
        {},
        {**METER, "meter_model": "sunspec_203"},
        {**METER, "meter_model": "manual", "meter_registers": OWN_MAP},
    ],
    ids=["none", "without direction", "own map without direction"],
)
def test_charging_from_the_sun_is_refused_at_its_field_where_no_meter_shows_the_sun(administrator, meter):
    page = administrator.post(PAGE, {**DELIVERED, **meter, "phases": "1", "surplus": "minimum"})
    assert "tells current that flows out" in str(page.context["form"].errors["surplus"])
    assert Installation.get_solo().surplus == "off"


def test_with_a_fixed_current_the_sun_stays_as_it_was_chosen_and_needs_no_meter(administrator):
    administrator.post(PAGE, {**DELIVERED, "mode": "static", "static_limit_a": "20", "surplus": "only"})
    installation = Installation.get_solo()
    assert (installation.mode, installation.surplus, installation.surplus_rule) == ("static", "only", None)


def test_an_unbalance_limit_is_proposed_by_country_and_entered_by_a_person_alone(administrator):
    page = administrator.get(PAGE).content.decode()
    assert '{"DE": 20, "AT": 16, "CH": 16}' in page
    administrator.post(PAGE, {**DELIVERED, "country": "DE", "time_zone": "Europe/Berlin"})
    assert Installation.get_solo().unbalance_a is None
    administrator.post(PAGE, {**DELIVERED, "unbalance_a": "20"})
    assert Installation.get_solo().unbalance_a == 20


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"fuse_a": "80"}, "fuse_a", "Direct measurement goes up to 63 A"),
        ({"fuse_a": "0"}, "fuse_a", "greater than or equal to 1"),
        ({"fuse_a": "many"}, "fuse_a", "Enter a number"),
        ({"fuse_a": "inf"}, "fuse_a", "Enter a number"),
        ({"measurement": "ct_5a"}, "ct_ratio_a", "75 to 6000 A"),
        ({"measurement": "ct_5a", "ct_ratio_a": "74"}, "ct_ratio_a", "greater than or equal to 75"),
        ({"measurement": "ct_5a", "ct_ratio_a": "6001"}, "ct_ratio_a", "less than or equal to 6000"),
        ({"mode": "static"}, "static_limit_a", "Static mode needs the current"),
        ({"mode": "static", "static_limit_a": "64"}, "static_limit_a", "must not be above the fuse"),
        ({"derating_percent": "51"}, "derating_percent", "less than or equal to 50"),
        ({"fail_safe_a": "3"}, "fail_safe_a", "6 A and more"),
        ({"fail_safe_a": "81"}, "fail_safe_a", "80 A at most"),
        ({"unbalance_a": "5.9"}, "unbalance_a", "6 A and more"),
        ({"unbalance_a": "81"}, "unbalance_a", "80 A at most"),
        ({"measurement": "ct_5a", "ct_ratio_a": "600", "fuse_a": "6001"}, "fuse_a", "6000 A at most"),
        ({"country": "F1"}, "country", "Select a valid choice"),
        ({"time_zone": "Mars/Base"}, "time_zone", "Select a valid choice"),
        ({"meter_model": "nobody"}, "meter_model", "not one of the available choices"),
        ({"meter_url": "ftp://meter"}, "meter_url", "This address cannot be used"),
        ({"meter_url": ""}, "meter_url", "This address cannot be used"),
        ({"meter_unit": "256"}, "meter_unit", "less than or equal to 255"),
        ({"meter_model": "eastron_sdm72v1"}, "meter_model", "cannot protect a fuse"),
        ({"meter_model": "manual", "meter_registers": "{}"}, "meter_registers", "without it no fuse is protected"),
        ({"meter_model": "manual", "meter_registers": "{"}, "meter_registers", "valid JSON"),
    ],
)
def test_what_breaks_a_rule_is_said_at_its_field_and_on_top_and_nothing_is_saved(
    administrator, decided, wrong, field, message
):
    entered = {**DELIVERED, **METER, "name": "New name", "meter_unit": "7", **wrong}
    page = administrator.post(PAGE, entered).content.decode()
    own = page[page.index(f'id="id_{field}_error"') :]
    assert message in own[: own.index("</ul>")]
    top = page[page.index('role="alert"') : page.index('id="installation_form"')]
    assert f'href="#id_{field}"' in top
    assert message in top
    assert (Installation.get_solo().name, Meter.get_solo().unit, Meter.get_solo().model) == ("", 1, "")
    assert decided == []


def test_a_form_is_checked_before_it_is_saved_with_what_saving_would_say(administrator):
    assert administrator.post(f"{PAGE}check/", DELIVERED).json() == {}
    entered = {**DELIVERED, "fuse_a": "80", "mode": "static"}
    errors = administrator.post(f"{PAGE}check/", entered).json()
    said = plain(administrator.post(PAGE, entered))
    assert set(errors) == {"fuse_a", "static_limit_a"}
    assert all(sentence in said for sentences in errors.values() for sentence in sentences)
    assert Installation.get_solo().name == ""


def test_a_meter_that_shows_secondary_currents_needs_its_transformers(administrator):
    registers = '{"fc": 4, "ct": "reader", "phases": 1, "registers": {"i1": {"addr": 6, "type": "float32"}}}'
    entered = {**DELIVERED, **METER, "meter_model": "manual", "meter_registers": registers}
    assert "secondary current of transformers" in plain(administrator.post(PAGE, entered))
    administrator.post(PAGE, {**entered, "measurement": "ct_5a", "ct_ratio_a": "250"})
    assert Meter.get_solo().manual_map["ct"] == "reader"
    assert Installation.get_solo().ct_ratio_a == 250


@pytest.mark.parametrize(("language", "entered"), [("fr", "50,5"), ("de", "50,5"), ("en", "50.5"), ("fr", "50.5")])
def test_numbers_are_written_as_the_language_does(administrator, language, entered):
    headers = {"accept-language": language}
    administrator.post(PAGE, {**DELIVERED, "fuse_a": entered}, headers=headers)
    assert Installation.get_solo().fuse_a == 50.5
    comma = "50.5" if language == "en" else "50,5"
    assert f'value="{comma}"' in administrator.get(PAGE, headers=headers).content.decode()


def test_a_register_map_is_kept_for_a_manual_meter_alone(administrator):
    administrator.post(PAGE, {**DELIVERED, **METER, "meter_registers": '{"fc": 4}'})
    assert Meter.get_solo().manual_map is None


def test_a_register_map_with_a_nul_character_is_refused(administrator):
    registers = '{"fc": 4, "notes": "\\u0000", "phases": 1, "registers": {"i1": {"addr": 6, "type": "float32"}}}'
    entered = {**DELIVERED, **METER, "meter_model": "manual", "meter_registers": registers}
    assert "This meter cannot be used: " in plain(administrator.post(PAGE, entered))
    assert Meter.get_solo().model == ""


def test_what_was_saved_is_what_a_site_file_says(administrator):
    administrator.post(PAGE, {**DELIVERED, **METER, "measurement": "ct_1a", "ct_ratio_a": "250", "fuse_a": "250"})
    assert apply_site(dump_site()).lines() == ["nothing changed"]


def test_the_page_speaks_the_browsers_language(administrator):
    page = plain(administrator.get(PAGE, headers={"accept-language": "fr"}))
    assert "Écrivez-la comme tcp://192.168.1.20:502" in page
    assert "Paramètres généraux" in page


def test_the_country_is_chosen_by_its_name(administrator):
    assert (
        '<option value="DE">Allemagne</option>'
        in administrator.get(PAGE, headers={"accept-language": "fr"}).content.decode()
    )
    administrator.post(PAGE, {**DELIVERED, "country": "DE"})
    assert Installation.get_solo().country == "DE"


def test_no_meter_needs_no_address(administrator):
    administrator.post(PAGE, {**DELIVERED, **METER})
    administrator.post(PAGE, DELIVERED)
    assert not Meter.get_solo().is_present


def test_what_the_loop_and_site_files_write_is_left_alone(administrator):
    since = timezone.now()
    Installation.objects.update_or_create(pk=1, defaults={"timing": {"beat_s": 2}})
    Meter.objects.update_or_create(
        pk=1,
        defaults={
            "model": "eastron_sdm630",
            "url": "tcp://192.168.1.20:502",
            "last_error": "silent",
            "failing_since": since,
        },
    )
    administrator.post(PAGE, {**DELIVERED, **METER})
    assert Installation.get_solo().timing == {"beat_s": 2}
    assert (Meter.get_solo().last_error, Meter.get_solo().failing_since) == ("silent", since)


def test_another_meter_begins_without_the_trouble_of_the_last_one(administrator):
    Meter.objects.update_or_create(pk=1, defaults={"last_error": "silent", "failing_since": timezone.now()})
    administrator.post(PAGE, {**DELIVERED, **METER})
    assert (Meter.get_solo().last_error, Meter.get_solo().failing_since) == ("", None)


def test_the_page_says_what_an_empty_fail_safe_current_means(administrator):
    assert "none is configured yet" in plain(administrator.get(PAGE))
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 63, "fail_safe_a": 8})
    for number in range(4):
        station = Station.objects.create(identity=f"CP{number}", state=StationState.CONFIGURED)
        Connector.objects.create(station=station, number=1)
    assert "Left empty it is 12.6 A, an equal share of 4 stations." in plain(administrator.get(PAGE))
    Installation.objects.update(fuse_a=25)
    assert "Left empty it is 0 A" in plain(administrator.get(PAGE))


def test_fail_safe_currents_that_add_up_to_more_than_charging_may_have_are_warned_of(administrator):
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 25, "fail_safe_a": 8})
    for number, rotation in enumerate(("L1L2L3", "L1", "L2")):
        station = Station.objects.create(identity=f"CP{number}", state=StationState.CONFIGURED, phase_rotation=rotation)
        Connector.objects.create(station=station, number=1)
    assert "too much may be drawn" not in plain(administrator.get(PAGE))
    Station.objects.filter(phase_rotation="L2").update(phase_rotation="L1")
    assert "up to 24.0 A on a line" in plain(administrator.get(PAGE))
    assert "more than the 20.0 A that charging may ever have" in plain(administrator.get(PAGE))


def test_every_meter_is_offered_and_described(administrator):
    page = administrator.get(PAGE).content.decode()
    missing = [name for name in load_maps() if f'<option value="{name}"' not in page or f'"{name}"' not in page]
    assert missing == []


def test_the_meter_is_read_as_entered_and_nothing_is_saved(administrator, server):
    entered = {**DELIVERED, **METER, "meter_url": server.url, "fuse_a": "80"}
    said = plain(administrator.post(f"{PAGE}read-meter/", entered))
    assert re.search(r"L1 11\.0 A · 2530 W L2 7\.5 A · 1700 W L3 23\.0 A · 5000 W Together 9230 W", said)
    assert not Meter.get_solo().is_present


def test_a_meter_that_does_not_answer_is_told_with_what_to_do(administrator, unused_tcp_port):
    entered = {**DELIVERED, **METER, "meter_url": f"tcp://127.0.0.1:{unused_tcp_port}"}
    said = plain(administrator.post(f"{PAGE}read-meter/", entered))
    assert "The meter does not answer. Check power, cable, address" in said
    assert "fail-safe" not in said


def test_an_address_without_its_kind_is_taken_for_modbus_tcp(administrator):
    administrator.post(PAGE, {**DELIVERED, **METER, "meter_url": "192.168.1.20"})
    assert Meter.get_solo().url == "tcp://192.168.1.20"


def test_another_model_than_entered_is_told_with_what_to_do(administrator, server):
    entered = {**DELIVERED, **METER, "meter_model": "hager_ecr380d", "meter_url": server.url}
    assert "it has no such registers" in plain(administrator.post(f"{PAGE}read-meter/", entered))


def test_a_meter_that_is_not_entered_rightly_is_not_read(administrator):
    said = plain(administrator.post(f"{PAGE}read-meter/", {**DELIVERED, **METER, "meter_url": "ftp://meter"}))
    assert "The meter cannot be read as entered. Address: This address cannot be used." in said
    assert "Choose the model of the meter first." in plain(administrator.post(f"{PAGE}read-meter/", DELIVERED))


def use_meter(server, currents_a=(20.1, 15.6, 18.0)):
    """Let the loop have read this meter just now."""
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": server.url})
    grid = dict(zip(("grid_l1_a", "grid_l2_a", "grid_l3_a"), currents_a, strict=True))
    zeros = {f"{what}_l{line}_a": 0 for what in ("charging", "limit") for line in (1, 2, 3)}
    Reading.objects.create(at=timezone.now(), state="operational", **grid, **zeros)


def test_the_line_of_the_loop_is_not_opened_twice(administrator, server):
    use_meter(server)
    server.asked.clear()
    said = plain(administrator.post(f"{PAGE}read-meter/", {**DELIVERED, **METER, "meter_url": server.url}))
    assert "is not opened a second time" in said
    assert "L1 20.1 A L2 15.6 A L3 18.0 A" in said
    assert server.asked == []


def test_the_meter_in_use_is_not_read_a_second_time_under_another_name(administrator, server):
    use_meter(server)
    server.asked.clear()
    entered = {**DELIVERED, **METER, "meter_url": server.url.replace("127.0.0.1", "localhost")}
    assert "is not opened a second time" in plain(administrator.post(f"{PAGE}read-meter/", entered))
    assert server.asked == []


def test_the_meter_in_use_is_shown_live(administrator, server):
    assert "No meter is set up." in plain(administrator.get(f"{PAGE}meter-line/"))
    use_meter(server)
    assert "L1 20.1 A" in plain(administrator.get(f"{PAGE}meter-line/"))
    Reading.objects.all().delete()
    assert "the control loop does not run" in plain(administrator.get(f"{PAGE}meter-line/"))
    use_meter(server, (None, None, None))
    Meter.objects.update(failing_since=timezone.now(), last_error="no answer")
    assert "every station is held at its fail-safe current" in plain(administrator.get(f"{PAGE}meter-line/"))


def test_a_meter_that_was_just_saved_is_not_called_broken_before_the_loop_has_read_it(administrator, server):
    use_meter(server, (None, None, None))
    page = administrator.get(f"{PAGE}meter-line/")
    assert "The first reading comes with the next cycle" in plain(page)
    assert "text-red-700" not in page.content.decode()


def test_what_a_search_found_can_be_used_and_what_it_left_out_is_said(administrator):
    run = meter_search.begin_search(hosts="192.168.1.20", ports=[])
    assert "Step 0 of 7: tcp://192.168.1.20:502" in plain(administrator.get(f"{PAGE}meter-search/"))
    found = [
        {"url": "tcp://192.168.1.20:502", "unit": 1, "model": "eastron_sdm630", "label": "SDM630"},
        {"url": "tcp://192.168.1.21:502", "unit": 1, "model": "eastron_sdm72v1", "label": "SDM72D-M v1"},
        {"url": "tcp://192.168.1.22:502", "unit": 3, "model": "", "label": ""},
    ]
    left_out = [{"where": "/dev/ttyUSB0", "is_in_use": True}, {"where": "/dev/ttyUSB1", "is_in_use": False}]
    MeterSearch.objects.filter(run=run).update(found=found, left_out=left_out)
    page = administrator.post(f"{PAGE}meter-search/stop/", {"run": run})
    said = plain(page)
    assert "Eastron SDM630 tcp://192.168.1.20:502 1 Use this one" in said
    assert "only total power: it cannot protect a fuse" in said
    assert "Speaks Modbus, but is not recognised" in said
    assert "/dev/ttyUSB0 was left alone" in said
    assert "/dev/ttyUSB1 could not be opened" in said
    assert page.content.decode().count("data-model=") == 2
    assert MeterSearch.get_solo().state == SearchState.STOPPED


def test_a_search_that_left_the_meter_in_use_alone_does_not_say_that_there_is_none(administrator):
    run = meter_search.begin_search(hosts="192.168.1.20", ports=[])
    meter_search.stop_search(run=run)
    assert "No meter was found." in plain(administrator.get(f"{PAGE}meter-search/"))
    left_out = [{"where": "tcp://192.168.1.20:502", "is_in_use": True}]
    MeterSearch.objects.filter(run=run).update(left_out=left_out)
    said = plain(administrator.get(f"{PAGE}meter-search/"))
    assert "No other meter was found." in said
    assert "No meter was found." not in said


@pytest.mark.parametrize("older", [{}, {"run": "0"}, {"run": "one"}, {"run": "9" * 30}])
def test_a_page_stops_only_the_search_it_shows(administrator, older):
    run = meter_search.begin_search(hosts="192.168.1.20", ports=[])
    administrator.post(f"{PAGE}meter-search/stop/", older)
    assert MeterSearch.get_solo().state == SearchState.RUNNING
    shown = administrator.get(f"{PAGE}meter-search/").content.decode()
    assert f"""hx-vals='{{"run": {run}}}'""" in shown


def test_a_search_that_stands_still_is_said_to_begin_anew_when_it_is_started_again(administrator):
    meter_search.begin_search(hosts="192.168.1.20", ports=[])
    MeterSearch.objects.update(heard_at=timezone.now() - timedelta(seconds=31))
    said = plain(administrator.get(f"{PAGE}meter-search/"))
    assert "Start it again: it begins anew." in said
    assert "stays" not in said


def test_a_search_without_a_place_is_refused_in_words(administrator):
    page = administrator.post(f"{PAGE}meter-search/start/", headers={"hx-request": "true"}).content.decode()
    assert re.search('<span class="text-red-700[^>]*>Say where to search', page)


@pytest.mark.parametrize("role", ["standard", "advanced"])
@pytest.mark.parametrize("path", ["", "check/", "meter-line/", "read-meter/", "meter-search/", "meter-search/start/"])
def test_administrators_alone_come_here(client, role, path):
    user = User.objects.create(username="marie", role=role, is_staff=role == "advanced")
    client.force_login(user)
    answers = [client.get(PAGE + path).status_code, client.post(PAGE + path, DELIVERED).status_code]
    assert set(answers) <= {302, 403, 405}
    assert Installation.get_solo().name == ""
    assert MeterSearch.get_solo().run == 0


@pytest.mark.parametrize("path", ["check/", "read-meter/", "meter-search/start/", "meter-search/stop/"])
def test_what_does_something_is_posted(administrator, path):
    assert administrator.get(PAGE + path).status_code == 405
