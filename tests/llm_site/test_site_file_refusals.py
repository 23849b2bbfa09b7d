"""What a site file may not say: each refusal at its line, all of them at once, and nothing written."""

import pytest
from django.db import connection

from accounts.models import User
from energy.meters.decode import load_maps
from llm_site.site_file.apply import apply_site
from llm_site.site_file.document import SiteFileError
from stations.editions import room_for_stations
from stations.models import Station, StationState

pytestmark = pytest.mark.django_db

REGISTERS = """\
  registers:
    fc: 4
    registers:
      i1: {addr: 6, type: float32}
      i2: {addr: 8, type: float32}
      i3: {addr: 10, type: float32, scale: 0.5}
"""


def problems(text):
    """Return what is wrong with a file, as (line, path, message)."""
    with pytest.raises(SiteFileError) as raised:
        apply_site(text)
    return [(problem.line, problem.path, problem.message) for problem in raised.value.problems]


WRONG = [
    # the file as such
    ("", 1, "file", "came an empty file"),
    ("# only a comment\n", 1, "file", "came an empty file"),
    ("- a list", 1, "file", "came a list"),
    ("just words", 1, "file", 'came "just words"'),
    ("access: {rule: free\nsetup:\n", 2, "file", "expected YAML"),
    ("access: {rule: free}\nname: \x07", 2, "file", "which YAML forbids"),
    ("access: {rule: free}\n---\naccess: {rule: free}", 2, "file", "expected YAML"),
    ("circuits:\n  - &x {name: a, limit_a: [1, 1, 1]}\n  - *x", 3, "file", "came the alias *x"),
    ("[" * 5000, 1, "file", "nested too deeply"),
    # shape
    ("stations: [{identity: CP1}]\nstatons: []", 2, "statons", 'did you mean "stations"?'),
    ("installation:\n  fuse: 63", 2, "installation.fuse", 'did you mean "fuse_a"?'),
    ("stations:\n  - identity: CP1\n    cpo: {serwer: x}", 3, "stations[CP1].cpo.serwer", 'did you mean "server"?'),
    ("timing:\n  beat_s: 1\n  stale_metre_s: 5", 3, "timing.stale_metre_s", 'did you mean "stale_meter_s"?'),
    ("installation:\n  [1]: 2", 2, "installation.a list", "expected a known key"),
    ("installation:\n  fuse_a: 10\n  fuse_a: 20", 3, "installation.fuse_a", "first on line 2"),
    ("access: {rule: free}\naccess: {rule: badge}", 2, "access", "first on line 1"),
    ("installation:\nmeter: {unit: 1}", 1, "installation", "came nothing"),
    ("installation: 5", 1, "installation", "expected a mapping, came 5"),
    ("stations:\n  identity: CP1", 2, "stations", "expected a list, came a mapping"),
    ("stations:\n", 1, "stations", "expected a list, came nothing"),
    ("stations:\n  - CP1", 2, "stations[#1]", 'expected a mapping, came "CP1"'),
    ("stations:\n  - name: Place 1", 2, "stations[#1]", 'expected the key "identity"'),
    ("stations:\n  - {identity: CP1}\n  - {identity: CP1}", 3, "stations[CP1]", "first on line 2"),
    ("badges:\n  - {id_tag: a1}\n  - {id_tag: A1}", 3, "badges[A1]", "first on line 2"),
    ("circuits:\n  - {name: a}", 2, "circuits[a]", 'expected the key "limit_a"'),
    ("cpo_servers:\n  - {name: op}", 2, "cpo_servers[op]", 'expected the key "url"'),
    # types
    ("installation:\n  fuse_a: '63'", 2, "installation.fuse_a", 'came "63"'),
    ("installation:\n  fuse_a: true", 2, "installation.fuse_a", "came true"),
    ("installation:\n  fuse_a: yes", 2, "installation.fuse_a", "came yes"),
    ("installation:\n  fuse_a: 63 A", 2, "installation.fuse_a", 'came "63 A"'),
    ("installation:\n  fuse_a: .inf", 2, "installation.fuse_a", "came .inf"),
    ("installation:\n  fuse_a: .nan", 2, "installation.fuse_a", "came .nan"),
    ("installation:\n  fuse_a: 1.0e+999", 2, "installation.fuse_a", "came 1.0e+999"),
    ("installation:\n  fuse_a: 040", 2, "installation.fuse_a", "came 040"),
    ("installation:\n  fuse_a: 1:30", 2, "installation.fuse_a", "came 1:30"),
    ("installation:\n  fuse_a: [63]", 2, "installation.fuse_a", "came a list"),
    ("installation:\n  derating_percent: null", 2, "installation.derating_percent", "came nothing"),
    ("installation:\n  name: yes", 2, "installation.name", "put it in quotes"),
    ("installation:\n  name: {a: b}", 2, "installation.name", "came a mapping"),
    ('installation:\n  name: "a\\0b"', 2, "installation.name", "control character"),
    ('installation:\n  name: "a\\x85b"', 2, "installation.name", "control character"),
    ('stations:\n  - identity: " CP1"', 2, "stations[#1].identity", "without spaces around it"),
    (f"installation:\n  name: {'x' * 101}", 2, "installation.name", "came 101"),
    ("installation:\n  country: france", 2, "installation.country", 'came "france"'),
    ("badges:\n  - {id_tag: A, active: yes}", 2, "badges[A].active", "expected true or false, came yes"),
    ("badges:\n  - {id_tag: A, active: 1}", 2, "badges[A].active", "expected true or false, came 1"),
    ("badges:\n  - {id_tag: A, email: nowhere}", 2, "badges[A].email", "expected an e-mail address"),
    ("badges:\n  - {id_tag: A, expires_on: 30.01.2027}", 2, "badges[A].expires_on", "2027-01-30"),
    ("badges:\n  - {id_tag: A, expires_on: 2027-02-30}", 2, "badges[A].expires_on", "came 2027-02-30"),
    ("badges:\n  - {id_tag: é}", 2, "badges[#1].id_tag", "printable ASCII"),
    ("badges:\n  - {id_tag: 123456789012345678901}", 2, "badges[#1].id_tag", "1 to 20"),
    ("users:\n  - {username: 'a b'}", 2, "users[#1].username", "user name"),
    ("users:\n  - {username: anna, password: null}", 2, "users[anna].password", "a secret text"),
    ("meter:\n  unit: 1.5", 2, "meter.unit", "came 1.5"),
    ("meter:\n  unit: 256", 2, "meter.unit", "from 0 to 255"),
    ("stations:\n  - {identity: CP1, priority: 1000000}", 2, "stations[CP1].priority", "a whole number"),
    ("stations:\n  - {identity: ''}", 2, "stations[#1].identity", "1 to 255"),
    ("stations:\n  - {identity: CP1, cpo: all}", 2, "stations[CP1].cpo", 'expected a mapping, came "all"'),
    ("stations:\n  - {identity: CP1, badges: A}", 2, "stations[CP1].badges", "all or a list"),
    ("stations:\n  - identity: CP1\n    badges:\n      - A\n      - a", 5, "stations[CP1].badges", 'came "a" again'),
    ("circuits:\n  - {name: a, limit_a: 32}", 2, "circuits[a].limit_a", "three currents"),
    ("circuits:\n  - {name: a, limit_a: [32, 32]}", 2, "circuits[a].limit_a", "came 2 values"),
    ("circuits:\n  - name: a\n    limit_a:\n      - 1\n      - -2\n      - 3", 5, "circuits[a].limit_a", "came -2"),
    ("stations:\n  - {identity: CP1, phase_rotation: L1L2}", 2, "stations[CP1].phase_rotation", "came"),
    # ranges (SPEC S10–S13)
    ("installation:\n  mode: dynamc", 2, "installation.mode", 'did you mean "dynamic"?'),
    ("installation:\n  phases: 2", 2, "installation.phases", "expected 1 or 3, came 2"),
    ("installation:\n  fuse_a: 0", 2, "installation.fuse_a", "from 1 to 6000"),
    ("installation:\n  fuse_a: 6001", 2, "installation.fuse_a", "from 1 to 6000"),
    ("installation:\n  fail_safe_a: 81", 2, "installation.fail_safe_a", "from 6 to 80, or 0"),
    ("installation:\n  fuse_a: 64", 2, "installation.fuse_a", "63 A or less for direct measurement"),
    ("installation:\n  ct_ratio_a: 74", 2, "installation.ct_ratio_a", "from 75 to 6000"),
    ("installation:\n  ct_ratio_a: 6001", 2, "installation.ct_ratio_a", "from 75 to 6000"),
    ("installation:\n  measurement: ct_5a", 2, "installation.measurement", "transformer's primary"),
    ("installation:\n  fuse_a: 40\n  static_limit_a: 41", 3, "installation.static_limit_a", "the fuse (40 A)"),
    ("installation:\n  derating_percent: 51", 2, "installation.derating_percent", "from 0 to 50"),
    ("installation:\n  derating_percent: -1", 2, "installation.derating_percent", "from 0 to 50"),
    ("installation:\n  fail_safe_a: 5", 2, "installation.fail_safe_a", "from 6 to 80, or 0"),
    ("installation:\n  unbalance_a: 5", 2, "installation.unbalance_a", "from 6 to 80"),
    ("installation:\n  time_zone: Europe/Pari", 2, "installation.time_zone", 'did you mean "Europe/Paris"?'),
    ("installation:\n  time_zone: Europe", 2, "installation.time_zone", "expected a time zone"),
    ("stations:\n  - {identity: CP1, min_current_a: 5.9}", 2, "stations[CP1].min_current_a", "from 6 to 80"),
    ("stations:\n  - {identity: CP1, max_current_a: 81}", 2, "stations[CP1].max_current_a", "from 6 to 80"),
    ("stations:\n  - {identity: CP1, min_current_a: 33}", 2, "stations[CP1].min_current_a", "the minimum (33 A)"),
    ("timing:\n  beat_s: 0", 2, "timing.beat_s", "more than 0"),
    ("timing:\n  beat_s: -1", 2, "timing.beat_s", "more than 0"),
    ("timing:\n  beat_s: soon", 2, "timing.beat_s", 'came "soon"'),
    ("timing:\n  reserve_a: -1", 2, "timing.reserve_a", "0 or more"),
    ("access:\n  rule: badges", 2, "access.rule", 'did you mean "badge"?'),
    # the meter
    ("meter:\n  model: eastron_sdm63", 2, "meter.model", 'did you mean "eastron_sdm630"?'),
    ("meter:\n  model: manual", 2, "meter.model", "expected a register map"),
    ("meter:\n  model: manual\n  registers: {fc: 4}", 3, "meter.registers", "registers.i1"),
    ("meter:\n  model: manual\n  registers: [4]", 3, "meter.registers", "a register map"),
    ("meter:\n  model: manual\n  registers:\n    fc: 4\n    fc: 3", 5, "meter.registers", "expected fc once"),
    ("meter:\n  model: manual\n  registers: {fc: .nan}", 3, "meter.registers", "a register map"),
    ("meter:\n  model: eastron_sdm630\n" + REGISTERS, 3, "meter.registers", "expected no register map"),
    ("installation:\n  surplus: only", 2, "installation.surplus", "without a meter that shows which way"),
    ("meter: {model: sunspec_203}\ninstallation: {surplus: minimum}", 2, "installation.surplus", "came minimum"),
    ("installation:\n  surplus: sun", 2, "installation.surplus", "expected off, minimum or only"),
    ("meter:\n  url: 192.168.1.20", 2, "meter.url", "tcp://192.168.1.20:502"),
    # references
    ("stations:\n  - {identity: CP1, circuit: cellar}", 2, "stations[CP1].circuit", 'came "cellar"'),
    ("stations:\n  - identity: CP1\n    badges:\n      - A1", 4, "stations[CP1].badges", 'came "A1"'),
    ("stations:\n  - {identity: CP1, cpo: {server: op}}", 2, "stations[CP1].cpo.server", 'came "op"'),
    ("stations:\n  - {identity: CP1, cpo: {enabled: true}}", 2, "stations[CP1].cpo.enabled", "expected a server"),
    ("badges:\n  - id_tag: A\n    stations: [CP1]", 3, "badges[A].stations", 'came "CP1"'),
    ("circuits:\n  - {name: a, limit_a: [1, 1, 1], parent: b}", 2, "circuits[a].parent", 'came "b"'),
    ("circuits:\n  - name: a\n    limit_a: [1, 1, 1]\n    parent: a", 4, "circuits[a].parent", "the circle a in a"),
    # operators and users
    ("cpo_servers:\n  - {name: op, url: http://op.example}", 2, "cpo_servers[op].url", "wss://cpo.example.org"),
    ("cpo_servers:\n  - {name: op, url: 'wss://op:99999'}", 2, "cpo_servers[op].url", "wss://cpo.example.org"),
    ("users:\n  - username: anna\n    password: short", 3, "users[anna].password", "eight characters"),
    ("users:\n  - {username: a, token: t}\n  - {username: b, token: t}", 3, "users[b].token", 'that of "a"'),
]


@pytest.mark.parametrize(("text", "line", "path", "message"), WRONG)
def test_what_is_wrong_is_named_at_its_line(text, line, path, message):
    found = problems(text)
    assert len(found) == 1, found
    assert found[0][:2] == (line, path)
    assert message in found[0][2]


def test_every_problem_of_a_file_is_listed_in_the_order_of_its_lines():
    text = (
        "stations:\n  - {identity: CP1, circuit: nowhere, max_current_a: big}\n  - {identity: CP2, colour: red}\n"
        "installation: {phases: 2, time_zone: Mars}\nusers:\n  - {username: anna, password: short}\n"
    )
    assert [(line, path) for line, path, _message in problems(text)] == [
        (2, "stations[CP1].circuit"),
        (2, "stations[CP1].max_current_a"),
        (3, "stations[CP2].colour"),
        (4, "installation.phases"),
        (4, "installation.time_zone"),
        (6, "users[anna].password"),
    ]


def test_a_value_that_cannot_be_read_brings_no_second_problem():
    apply_site("installation: {fuse_a: 20}")
    text = "installation: {fuse_a: big, static_limit_a: 30}\ncircuits: [{name: a, limit_a: 1}]\n"
    text += "stations: [{identity: C, circuit: a}]"
    assert [path for _line, path, _message in problems(text)] == ["installation.fuse_a", "circuits[a].limit_a"]


def test_settings_are_checked_against_what_is_in_the_database():
    apply_site("installation: {fuse_a: 40, static_limit_a: 32}\nstations: [{identity: CP1, min_current_a: 10}]")
    assert problems("\ninstallation: {fuse_a: 30}")[0][:2] == (2, "installation.fuse_a")
    assert problems("\nstations: [{identity: CP1, max_current_a: 8}]")[0][:2] == (2, "stations[CP1].max_current_a")
    assert problems("\ninstallation: {measurement: ct_1a}")[0][:2] == (2, "installation.measurement")


def test_a_circle_that_the_file_closes_is_told_once():
    apply_site("circuits: [{name: a, limit_a: [1, 1, 1]}, {name: b, limit_a: [1, 1, 1], parent: a}]")
    assert problems("circuits:\n  - name: a\n    parent: b") == [
        (3, "circuits[a].parent", "expected no circuit inside itself, came the circle a in b in a")
    ]


def test_a_meter_that_cannot_protect_a_fuse_is_refused_with_its_reason():
    refused = next(meter_map for meter_map in load_maps().values() if meter_map.refusal)
    [(line, path, message)] = problems(f"meter:\n  model: {refused.id}")
    assert (line, path) == (2, "meter.model")
    assert refused.refusal in message


def test_a_token_may_not_be_that_of_a_user_in_the_database():
    apply_site("users: [{username: anna, token: t}]")
    assert problems("users: [{username: bob, token: t}]")[0][1] == "users[bob].token"


def test_no_secret_is_ever_in_a_message():
    text = "users: [{username: anna, password: hunter, token: [hunter]}]\nstations: [{identity: C, password: [hunter]}]"
    found = problems(text)
    assert len(found) == 3
    assert "hunter" not in str(found)


# All or nothing


def test_a_wrong_last_user_leaves_no_station():
    problems("stations: [{identity: CP1}]\nusers: [{username: anna}, {username: bob, password: short}]")
    assert not Station.objects.exists()
    assert not User.objects.exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the refusing trigger is written for SQLite")
def test_a_refusal_of_the_database_is_named_at_its_line_and_leaves_nothing():
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refuse_bob BEFORE INSERT ON accounts_user WHEN NEW.username = 'bob' "
            "BEGIN SELECT RAISE(ABORT, 'no bob here'); END"
        )
    found = problems("stations: [{identity: CP1}]\nusers:\n  - {username: anna}\n  - {username: bob}")
    assert found == [(4, "users[bob]", "expected what the database can keep, came something it refuses: no bob here")]
    assert not Station.objects.exists()
    assert not User.objects.exists()


# Editions (SPEC S1)


@pytest.mark.parametrize(("edition", "room"), [("XEM510", 10), ("XEM520", 20), ("unlimited", None)])
def test_an_edition_has_room_for_so_many_stations(settings, edition, room):
    settings.EDITION = edition
    assert room_for_stations() == room
    Station.objects.create(identity="waits")
    Station.objects.create(identity="in service", state=StationState.CONFIGURED)
    assert room_for_stations() == (None if room is None else room - 1)


def test_the_first_station_too_many_is_named(settings):
    settings.EDITION = "XEM510"
    apply_site("stations: [{identity: CP0}]")
    text = "stations:\n" + "".join(f"  - {{identity: CP{number}}}\n" for number in range(12))
    assert problems(text) == [
        (
            12,
            "stations[CP10]",
            'expected at most 9 more stations (the edition\'s limit), came 11; "CP10" is the first too many',
        )
    ]
    assert Station.objects.count() == 1


def test_a_full_edition_still_takes_changes_to_its_own_stations(settings):
    settings.EDITION = "XEM510"
    text = "stations:\n" + "".join(f"  - {{identity: CP{number}}}\n" for number in range(10))
    apply_site(text)
    assert apply_site(text).lines() == ["nothing changed"]
