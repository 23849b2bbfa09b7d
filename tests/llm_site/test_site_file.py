"""A site as a file: what it may say, what is refused and where, and that writing and applying it changes nothing."""

import contextlib
import datetime as dt
import io
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import AccessSettings, User
from accounts.secrets import matches, unseal
from badges.models import Badge, BadgeSettings
from energy.models import Installation, Meter
from llm_site.site_file.apply import apply_site
from llm_site.site_file.dump import dump_site
from stations.models import Circuit, Connector, CpoServer, PhaseRotation, Station, StationState
from stations.signals import decide_again

pytestmark = pytest.mark.django_db

COMPLETE = """\
installation:
  name: Garage Nord
  country: FR
  time_zone: Europe/Paris
  mode: dynamic                # or static
  phases: 3                    # or 1
  fuse_a: 63
  derating_percent: 20
  static_limit_a: 48           # static mode: all stations together, per line
  surplus: "off"
  fail_safe_a: null            # per station; null = computed
  unbalance_a: 20              # null = no limit
  measurement: direct          # or ct_1a, ct_5a
  ct_ratio_a: null             # 75-6000
meter:
  model: eastron_sdm630
  url: tcp://127.0.0.1:5020    # or serial:///dev/ttyUSB0?baud=9600&parity=N
  unit: 1
circuits:
  - {name: basement, limit_a: [32, 32, 32], parent: null}
stations:
  - identity: CP1
    name: Place 1
    phase_rotation: L1L2L3
    min_current_a: 6
    max_current_a: 32
    circuit: basement
    priority: 0
    badges: all                # or a list of ids
    password: null             # security profile 1
    cpo: {server: my-cpo, identity: FR*ABC*E1, enabled: true}
access: {rule: badge, concurrent_use: false}    # or free
badges:
  - {id_tag: A1B2C3, type: standard, active: true, comment: Müller, email: m@example.org, expires_on: 2027-01-30, stations: all}
users:
  - {username: anna, role: administrator, password: "Garage-Nord-1", email: a@example.org, token: "token-of-anna"}
dashboard: {access: public}    # or restricted
cpo_servers:
  - {name: my-cpo, url: "wss://cpo.example.org/ocpp", offline_policy: cached, password: null}
setup: {done: true}            # the first start counts as made
timing: {beat_s: 1, stale_meter_s: 12, ramp_hold_s: 10}
"""  # noqa: E501

REGISTERS = """\
  registers:
    fc: 4
    registers:
      i1: {addr: 6, type: float32}
      i2: {addr: 8, type: float32}
      i3: {addr: 10, type: float32, scale: 0.5}
"""


@contextlib.contextmanager
def undone():
    """Run a block and take back what it wrote."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_the_example_of_the_guide_can_be_applied():
    guide = (Path(__file__).parents[2] / "docs" / "site-file.md").read_text(encoding="utf-8")
    example = guide.partition("```yaml\n")[2].partition("```")[0]
    assert list(yaml.safe_load(example)) == list(yaml.safe_load(COMPLETE))
    apply_site(example)
    assert apply_site(example).lines() == ["nothing changed"]


# Applying


def test_the_complete_example_is_stored_whole():
    outcome = apply_site(COMPLETE)
    installation, meter, station = Installation.get_solo(), Meter.get_solo(), Station.objects.get()
    assert (installation.name, installation.fuse_a, installation.static_limit_a) == ("Garage Nord", 63, 48)
    assert (meter.model, meter.url, meter.unit) == ("eastron_sdm630", "tcp://127.0.0.1:5020", 1)
    assert (station.identity, station.state, station.circuit.name) == ("CP1", StationState.CONFIGURED, "basement")
    assert (station.cpo_server.name, station.cpo_identity, station.is_cpo_enabled) == ("my-cpo", "FR*ABC*E1", True)
    assert [connector.number for connector in station.connectors.all()] == [1]
    badge, user = Badge.objects.get(), User.objects.get()
    assert (badge.comment, badge.expires_on, badge.is_good_everywhere) == ("Müller", dt.date(2027, 1, 30), True)
    assert (user.role, user.is_superuser, user.must_change_password) == ("administrator", True, False)
    assert user.check_password("Garage-Nord-1")
    assert matches("token-of-anna", user.api_token_hash)
    assert BadgeSettings.get_solo().access_rule == "badge"
    assert AccessSettings.get_solo().setup_done_at is not None
    assert "stations: 1 new, 0 changed" in outcome.lines()


def test_a_second_apply_changes_nothing():
    apply_site(COMPLETE)
    set_up_at = AccessSettings.get_solo().setup_done_at
    assert apply_site(COMPLETE).lines() == ["nothing changed"]
    assert AccessSettings.get_solo().setup_done_at == set_up_at


def test_charging_from_the_sun_is_stored_dumped_and_taken_again():
    apply_site(COMPLETE)
    apply_site("installation: {surplus: only}")
    assert Installation.get_solo().surplus == "only"
    dumped = dump_site()
    assert yaml.safe_load(dumped)["installation"]["surplus"] == "only"
    apply_site("installation: {surplus: off}\nmeter: {model: null, url: null}")
    assert Installation.get_solo().surplus == "off"
    apply_site(dumped)
    assert Installation.get_solo().surplus == "only"


def test_only_times_that_are_not_the_default_are_kept_and_null_goes_back_to_it():
    apply_site(COMPLETE)
    assert Installation.get_solo().timing == {"stale_meter_s": 12}
    apply_site("timing: {rotation_s: 600, stale_meter_s: null}")
    assert Installation.get_solo().timing == {"rotation_s": 600}


def test_a_key_left_out_keeps_its_value_and_null_empties_it():
    apply_site(COMPLETE)
    lines = apply_site("installation: {static_limit_a: null}\nstations:\n  - {identity: CP1, circuit: null}").lines()
    assert lines == ["installation: changed", "stations: 0 new, 1 changed"]
    assert (Installation.get_solo().static_limit_a, Installation.get_solo().fuse_a) == (None, 63)
    assert (Station.objects.get().circuit, Station.objects.get().name) == (None, "Place 1")


def test_entries_that_are_not_named_stay():
    apply_site(COMPLETE)
    apply_site("stations: [{identity: CP2}]\nbadges: [{id_tag: FFFF}]")
    assert sorted(Station.objects.values_list("identity", flat=True)) == ["CP1", "CP2"]
    assert sorted(Badge.objects.values_list("id_tag", flat=True)) == ["A1B2C3", "FFFF"]


def test_a_badge_is_found_whatever_its_case():
    apply_site("badges: [{id_tag: a1b2c3, comment: first}]")
    assert apply_site("badges: [{id_tag: A1B2C3, comment: second}]").lines() == ["badges: 0 new, 1 changed"]
    assert Badge.objects.get().comment == "second"


def test_a_badge_number_of_digits_keeps_its_leading_zero():
    apply_site("badges: [{id_tag: 0123}]")
    assert Badge.objects.get().id_tag == "0123"


def test_a_pending_station_that_is_named_enters_service_with_what_it_had():
    Station.objects.create(identity="CP1", name="Found", vendor="Maker")
    assert apply_site("stations: [{identity: CP1}]").lines() == ["stations: 0 new, 1 changed"]
    station = Station.objects.get()
    assert (station.state, station.name, station.vendor) == (StationState.CONFIGURED, "Found", "Maker")


def test_a_station_keeps_the_connectors_it_has():
    station = Station.objects.create(identity="CP1")
    Connector.objects.create(station=station, number=2)
    apply_site("stations: [{identity: CP1}]")
    assert [connector.number for connector in station.connectors.all()] == [2]


@pytest.mark.parametrize("rotation", PhaseRotation.values)
def test_every_phase_rotation_can_be_given(rotation):
    apply_site(f"stations: [{{identity: CP1, phase_rotation: {rotation}}}]")
    assert Station.objects.get().phase_rotation == rotation


def test_circuits_may_be_listed_inside_out():
    apply_site("circuits:\n  - {name: in, limit_a: [6, 6, 6], parent: out}\n  - {name: out, limit_a: [9, 9, 9.5]}")
    assert Circuit.objects.get(name="in").parent.limit_a == (9, 9, 9.5)


def test_an_entry_may_refer_to_what_is_in_the_database():
    Circuit.objects.create(name="cellar", limit_l1_a=16, limit_l2_a=16, limit_l3_a=16)
    Badge.objects.create(id_tag="A1")
    CpoServer.objects.create(name="op", url="wss://op.example")
    apply_site("stations: [{identity: CP1, circuit: cellar, badges: [a1], cpo: {server: op}}]")
    station = Station.objects.get()
    assert (station.circuit.name, station.cpo_server.name) == ("cellar", "op")
    assert [badge.id_tag for badge in station.badges.all()] == ["A1"]


def test_a_manual_meter_brings_its_own_register_map():
    apply_site("meter:\n  model: manual\n  url: tcp://10.0.0.9\n" + REGISTERS)
    assert Meter.get_solo().manual_map["registers"]["i1"] == {"addr": 6, "type": "float32"}
    text = dump_site()
    assert apply_site(text).lines() == ["nothing changed"]
    with undone():
        Meter.objects.all().delete()
        apply_site(text)
        assert dump_site() == text


def test_after_an_apply_the_currents_are_decided_again(django_capture_on_commit_callbacks):
    wishes = []

    def note(sender, **kwargs):  # noqa: ARG001 (Django's interface)
        wishes.append(sender)

    decide_again.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            apply_site("installation: {fuse_a: 40}")
    finally:
        decide_again.disconnect(note)
    assert len(wishes) == 1


# Links of stations and badges (SPEC S18)


def links():
    return set(Station.badges.through.objects.values_list("station__identity", "badge__id_tag"))


def test_links_named_by_either_side_hold():
    apply_site(
        "stations:\n  - {identity: CP1, badges: [A]}\n  - {identity: CP2}\n"
        "badges:\n  - {id_tag: A}\n  - {id_tag: B, stations: [CP1, CP2]}"
    )
    assert links() == {("CP1", "A"), ("CP1", "B"), ("CP2", "B")}
    assert Station.objects.get(identity="CP2").takes_all_badges
    assert not Badge.objects.get(id_tag="B").is_good_everywhere


def test_a_list_replaces_the_links_it_had():
    apply_site("stations: [{identity: CP1, badges: [A, B]}]\nbadges: [{id_tag: A}, {id_tag: B}]")
    assert apply_site("stations: [{identity: CP1, badges: [B]}]").lines() == ["stations: 0 new, 1 changed"]
    assert links() == {("CP1", "B")}


def test_a_station_that_waits_for_approval_keeps_its_badges():
    badge = Badge.objects.create(id_tag="A", is_good_everywhere=False)
    Station.objects.create(identity="CP9").badges.add(badge)
    assert apply_site(dump_site()).lines() == ["nothing changed"]
    apply_site("stations: [{identity: CP1}]\nbadges: [{id_tag: A, stations: [CP1]}]")
    assert links() == {("CP1", "A"), ("CP9", "A")}


# Secrets


def test_a_station_password_is_kept_as_a_hash_until_null_clears_it():
    apply_site("stations: [{identity: CP1, password: s3cret}]")
    assert matches("s3cret", Station.objects.get().password_hash)
    assert apply_site("stations: [{identity: CP1, password: s3cret}]").lines() == ["nothing changed"]
    apply_site("stations: [{identity: CP1, name: Place 1}]")
    assert matches("s3cret", Station.objects.get().password_hash)
    apply_site("stations: [{identity: CP1, password: null}]")
    assert Station.objects.get().password_hash == ""


def test_an_operator_password_is_sealed_and_sealed_again_only_when_it_changes():
    text = "cpo_servers: [{name: op, url: wss://op.example, password: s3cret}]"
    apply_site(text)
    sealed = CpoServer.objects.get().password_sealed
    assert unseal(sealed) == "s3cret"
    assert apply_site(text).lines() == ["nothing changed"]
    apply_site(text.replace("s3cret", "0ther"))
    assert unseal(CpoServer.objects.get().password_sealed) == "0ther"


def test_an_operator_password_sealed_under_another_key_is_replaced(settings):
    text = "cpo_servers: [{name: op, url: wss://op.example, password: s3cret}]"
    apply_site(text)
    settings.SECRET_KEY = "another key"
    assert apply_site(text).lines() == ["cpo_servers: 0 new, 1 changed"]


def test_no_secret_is_ever_dumped():
    secrets = {"Garage-Nord-1", "token-of-anna", "station-pass", "operator-pass"}
    apply_site(COMPLETE)
    apply_site("stations: [{identity: CP1, password: station-pass}]")
    apply_site("cpo_servers: [{name: my-cpo, password: operator-pass}]")
    text = dump_site()
    kept = [Station.objects.get().password_hash, CpoServer.objects.get().password_sealed]
    kept += User.objects.values_list("password", flat=True)[:1]
    assert not [secret for secret in [*secrets, *kept] if secret in text]
    assert "password:" not in text
    assert "token:" not in text


def test_a_token_is_revoked_by_null():
    apply_site("users: [{username: bob, token: abc}]")
    apply_site("users: [{username: bob, role: advanced}]")
    assert matches("abc", User.objects.get().api_token_hash)
    assert apply_site("users: [{username: bob, token: null}]").lines() == ["users: 0 new, 1 changed"]
    assert User.objects.get().api_token_hash is None


def test_a_meter_set_up_by_half_is_warned_of():
    assert apply_site("meter: {model: eastron_sdm630}").warnings == ["the meter has no url: it is not read"]


# Writing and applying again


def test_the_complete_example_comes_back_as_it_was():
    apply_site(COMPLETE)
    expected = yaml.safe_load(COMPLETE)
    for entry in [*expected["stations"], *expected["users"], *expected["cpo_servers"]]:
        for secret in ("password", "token"):
            entry.pop(secret, None)
    expected["timing"] = {"stale_meter_s": 12}
    text = dump_site()
    assert yaml.safe_load(text) == expected
    assert list(yaml.safe_load(text)) == list(expected)
    assert apply_site(text).lines() == ["nothing changed"]
    assert dump_site() == text


def test_a_fresh_site_is_written_and_applied_without_a_change():
    assert apply_site(dump_site()).lines() == ["nothing changed"]


def test_numbers_are_written_tidily():
    apply_site("installation: {fuse_a: 32.0, derating_percent: 12.5}")
    assert "fuse_a: 32\n" in dump_site()
    assert "derating_percent: 12.5\n" in dump_site()


def test_stations_that_wait_and_users_that_are_closed_are_not_written():
    Station.objects.create(identity="waits")
    User.objects.create(username="gone", is_active=False)
    assert (yaml.safe_load(dump_site())["stations"], yaml.safe_load(dump_site())["users"]) == ([], [])


words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20) | st.sampled_from(
    ["yes", "NO", "1:30", "0123", "1e3", "null", "~", "all", "#", "- a", "{a: b}", "=", "<<", "2027-01-30", " x "]
)
names = words.filter(bool)
identities = names.filter(lambda name: name == name.strip())
id_tags = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20)
amperes = st.floats(0, 1000, allow_subnormal=False) | st.integers(0, 1000)


def chosen(known):
    """Draw the word all, or a list of some of those that are known."""
    return st.just("all") | st.lists(st.sampled_from(known), unique=True) if known else st.just("all")


def circuit_of(name, outer):
    return st.fixed_dictionaries(
        {
            "name": st.just(name),
            "limit_a": st.lists(amperes, min_size=3, max_size=3),
            "parent": st.sampled_from([None, *outer]),
        }
    )


def station_of(identity, circuits, badges):
    return st.fixed_dictionaries(
        {
            "identity": st.just(identity),
            "name": words,
            "phase_rotation": st.sampled_from(PhaseRotation.values),
            "min_current_a": st.floats(6, 10),
            "max_current_a": st.integers(10, 80),
            "circuit": st.sampled_from([None, *circuits]),
            "priority": st.integers(-32768, 32767),
            "badges": chosen(badges),
        }
    )


def badge_of(id_tag, stations):
    return st.fixed_dictionaries(
        {
            "id_tag": st.just(id_tag),
            "active": st.booleans(),
            "comment": words,
            "expires_on": st.none() | st.dates(),
            "stations": chosen(stations),
        }
    )


@st.composite
def sites(draw):
    """Draw a site that is in order."""
    circuits = draw(st.lists(names, max_size=3, unique=True))
    stations = draw(st.lists(identities, max_size=4, unique=True))
    badges = draw(st.lists(id_tags, max_size=4, unique_by=str.upper))
    return {
        "installation": {"name": draw(words), "fuse_a": draw(st.none() | st.floats(1, 63)), "country": "NO"},
        "circuits": [draw(circuit_of(name, circuits[:place])) for place, name in enumerate(circuits)],
        "stations": [draw(station_of(identity, circuits, badges)) for identity in stations],
        "badges": [draw(badge_of(id_tag, stations)) for id_tag in badges],
        "timing": draw(st.dictionaries(st.sampled_from(["ramp_hold_s", "rotation_s"]), st.floats(0.1, 1e6))),
    }


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sites())
def test_any_site_comes_back_as_it_was_and_is_the_same_elsewhere(site):
    with undone():
        apply_site(yaml.safe_dump(site, allow_unicode=True))
        text = dump_site()
        assert apply_site(text).lines() == ["nothing changed"]
        assert dump_site() == text
        written = yaml.safe_load(text)
        for station, entry in zip(written["stations"], site["stations"], strict=True):
            assert {key: station[key] or "" for key in ("identity", "name")} == {
                key: entry[key] for key in ("identity", "name")
            }
    with undone():
        apply_site(text)
        assert dump_site() == text


# The command


def test_the_command_says_what_it_did(tmp_path, capsys):
    file = tmp_path / "site.yaml"
    file.write_text(COMPLETE, encoding="utf-8-sig")
    call_command("site", "apply", str(file))
    told = capsys.readouterr()
    assert "stations: 1 new, 0 changed" in told.out.splitlines()
    assert told.err == ""


def test_an_edition_without_operators_says_that_theirs_are_only_stored(settings):
    settings.EDITION = "XEM510"
    assert apply_site(COMPLETE).warnings == [
        "edition XEM510 has no operator connection: what is set of it is only stored"
    ]


def test_the_command_lists_every_problem_with_file_and_line(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("installation:\n  fuse_a: big\n  phases: 2\n", encoding="utf-8")
    with pytest.raises(CommandError) as raised:
        call_command("site", "apply", str(file))
    assert str(raised.value).splitlines() == [
        "nothing was applied; problems found: 2",
        f'{file}:2: installation.fuse_a: expected a number from 1 to 6000, or null, came "big"',
        f"{file}:3: installation.phases: expected 1 or 3, came 2",
    ]


def test_the_command_refuses_a_file_that_is_missing_or_no_text(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("site", "apply", str(tmp_path / "none.yaml"))
    file = tmp_path / "site.yaml"
    file.write_bytes(b"installation:\n  name: M\xfcller\n")
    with pytest.raises(CommandError, match=r"site\.yaml:2: file: expected UTF-8"):
        call_command("site", "apply", str(file))


def test_what_the_command_dumps_it_applies_from_standard_input_without_a_change(tmp_path, capsys, monkeypatch):
    apply_site(COMPLETE)
    call_command("site", "dump")
    text = capsys.readouterr().out
    call_command("site", "dump", str(tmp_path / "site.yaml"))
    assert (tmp_path / "site.yaml").read_text(encoding="utf-8") == text
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    call_command("site", "apply", "-")
    assert capsys.readouterr().out == "nothing changed\n"


def test_the_command_says_where_it_cannot_write(tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("site", "dump", str(tmp_path / "none" / "site.yaml"))


def test_taking_the_password_from_a_station_that_needs_one_is_warned_of():
    apply_site("stations: [{identity: CP1, password: s3cret}, {identity: CP2, password: s3cret}]")
    Station.objects.filter(identity="CP1").update(security_profile=1)
    assert apply_site("stations: [{identity: CP2, password: null}]").warnings == []
    (warning,) = apply_site("stations: [{identity: CP1, password: null}]").warnings
    assert 'the station "CP1" needs a password and has none' in warning


def test_applying_a_file_leaves_a_password_alone_that_the_station_may_have_taken():
    apply_site("stations: [{identity: CP1, password: s3cret}]")
    Station.objects.update(next_password_hash="of-the-new-one", security_profile=1)
    apply_site("stations: [{identity: CP1, name: Place 1, password: s3cret}]")
    station = Station.objects.get()
    assert (station.next_password_hash, station.security_profile) == ("of-the-new-one", 1)
