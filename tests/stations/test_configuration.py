"""What a station says it can, and what is written into it: one test a quirk of a real station."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16.configuration import (
    MEASURANDS,
    NEEDED,
    Reported,
    Tried,
    capabilities,
    next_change,
    pieces,
    read_answer,
    tells_all,
    wanted_measurands,
    worth_keeping,
)

FULL = ",".join(MEASURANDS)
RIGHT = {"MeterValueSampleInterval": "10", "MeterValuesSampledData": FULL}


def reported(_readonly=(), **values):
    return {key: Reported(value, key in _readonly) for key, value in values.items()}


def write(keys, takes, vendor=""):
    """Write until nothing is left to write; returns (key, value) with whether `takes` took it."""
    tried = []
    while (change := next_change(keys, tried, vendor)) is not None:
        outcome = takes(*change)
        tried.append(Tried(*change, outcome))
        assert len(tried) < 30
    return [(attempt.key, attempt.value, attempt.outcome) for attempt in tried]


def sampled_data(takes, keys=RIGHT | {"MeterValuesSampledData": ""}, vendor=""):
    """Write the measurands to a station that takes some lists; returns the values with the outcomes."""
    answer = {True: "Accepted", False: "Rejected"}
    written = write(reported(**keys), lambda _, value: answer[takes(value.split(","))], vendor)
    assert {key for key, _, _ in written} <= {"MeterValuesSampledData"}
    return [(value, outcome) for _, value, outcome in written]


def test_a_station_that_is_right_is_not_written_to():
    assert next_change(reported(**RIGHT), [], "") is None


def test_the_order_of_measurands_does_not_matter_nor_do_more_of_them():
    keys = RIGHT | {"MeterValuesSampledData": "SoC, " + ", ".join(reversed(MEASURANDS))}
    assert next_change(reported(**keys), [], "") is None


@pytest.mark.parametrize("interval_s", ["1", "5", "10"])
def test_samples_that_come_often_enough_are_left(interval_s):
    assert next_change(reported(**RIGHT | {"MeterValueSampleInterval": interval_s}), [], "") is None


@pytest.mark.parametrize("interval_s", ["0", "60", "900", "", "often"])
def test_samples_that_come_too_seldom_are_wanted_every_10_s(interval_s):
    change = next_change(reported(**RIGHT | {"MeterValueSampleInterval": interval_s}), [], "")
    assert change == ("MeterValueSampleInterval", "10")


def test_a_station_s_larger_least_interval_is_accepted():
    """Easee takes 30 s, Mennekes 60 s."""
    keys = reported(**RIGHT | {"MeterValueSampleInterval": "900"})
    for least_s in (30, 60):
        written = write(keys, lambda _, value, least_s=least_s: "Accepted" if int(value) >= least_s else "Rejected")
        assert written[-1] == ("MeterValueSampleInterval", str(least_s), "Accepted")


def test_an_interval_is_not_made_longer_than_it_was():
    keys = reported(**RIGHT | {"MeterValueSampleInterval": "30"})
    assert write(keys, lambda *_: "Rejected") == [("MeterValueSampleInterval", "10", "Rejected")]


def test_the_whole_list_is_tried_first():
    assert sampled_data(lambda _: True) == [(FULL, "Accepted")]


def test_a_refused_list_is_followed_by_a_shorter_one():
    assert sampled_data(lambda several: len(several) <= 3)[-1] == (",".join(MEASURANDS[:3]), "Accepted")


def test_where_lists_are_refused_each_measurand_is_tried_alone_and_those_taken_together():
    takes = {"Current.Import", "Voltage"}
    written = sampled_data(lambda several: set(several) <= takes)
    assert len(written) == 2 + 5 + 1
    assert written[-1] == ("Current.Import,Voltage", "Accepted")


def test_where_only_one_is_taken_at_a_time_the_most_needed_is_left_in():
    written = sampled_data(lambda several: len(several) == 1)
    assert written[-1] == ("Current.Import", "Accepted")


def test_where_nothing_is_taken_it_ends():
    assert all(outcome == "Rejected" for _, outcome in sampled_data(lambda _: False))


def test_the_list_is_as_long_as_the_station_takes():
    keys = RIGHT | {"MeterValuesSampledData": "", "MeterValuesSampledDataMaxLength": "2"}
    assert sampled_data(lambda _: True, keys) == [("Current.Import,Energy.Active.Import.Register", "Accepted")]


@pytest.mark.parametrize("vendor", ["EVBox", "Wall Box Chargers/Wallbox"])
def test_makers_who_choke_on_offered_values_are_spared_them(vendor):
    assert not any(name.endswith("Offered") for name in wanted_measurands({}, vendor))


def test_only_what_a_station_says_it_supports_is_asked_of_it():
    keys = reported(evb_SupportedMeasurands="Current.Import,SoC,Voltage")
    assert wanted_measurands(keys, "") == ("Current.Import", "Voltage")


def test_a_read_only_key_is_not_written():
    keys = reported(_readonly=RIGHT, MeterValueSampleInterval="60", MeterValuesSampledData="")
    assert next_change(keys, [], "") is None


def test_the_ping_interval_is_set_only_where_there_is_one():
    assert next_change(reported(**RIGHT), [], "") is None
    keys = reported(**RIGHT, WebSocketPingInterval="0")
    assert write(keys, lambda *_: "Rejected") == [("WebSocketPingInterval", "30", "Rejected")]


LISTING = {"SupportedFeatureProfiles": "Core,LocalAuthListManagement"}


def test_the_list_of_badges_and_its_use_offline_are_switched_on_where_a_station_keeps_one():
    keys = RIGHT | {"LocalAuthListEnabled": "false", "LocalAuthorizeOffline": "False"}
    switched = [("LocalAuthListEnabled", "true", "Rejected"), ("LocalAuthorizeOffline", "true", "Rejected")]
    assert write(reported(**keys | LISTING), lambda *_: "Rejected") == switched
    assert write(reported(**keys), lambda *_: "Rejected") == []


def test_what_is_on_or_unknown_to_the_station_is_not_switched():
    assert next_change(reported(**RIGHT, **LISTING), [], "") is None
    keys = RIGHT | LISTING | {"LocalAuthListEnabled": "True", "LocalAuthorizeOffline": "true"}
    assert next_change(reported(**keys), [], "") is None


def test_the_length_of_a_list_and_of_its_pieces_is_learned():
    can = capabilities(reported(**LISTING, LocalAuthListMaxLength="500", SendLocalListMaxLength="many"))
    assert (can.has_local_list, can.list_length, can.list_piece) == (True, 500, None)


@pytest.mark.parametrize("outcome", ["", "no answer"])
def test_what_a_station_restarted_on_is_not_written_again(outcome):
    """ABB Terra AC: the outcome of the write never came."""
    tried = [Tried("MeterValuesSampledData", FULL, outcome)]
    assert next_change(reported(**RIGHT | {"MeterValuesSampledData": ""}), tried, "") is None


def test_a_setting_that_takes_hold_after_a_restart_is_written_once():
    keys = reported(**RIGHT | {"MeterValueSampleInterval": "60"})
    assert len(write(keys, lambda *_: "RebootRequired")) == 1


@given(st.dictionaries(st.sampled_from(NEEDED), st.text(max_size=30)), st.data())
def test_writing_always_ends_and_never_tries_a_refused_value_twice(values, data):
    outcomes = st.sampled_from(["Accepted", "Rejected", "NotSupported", "RebootRequired", "", "GenericError: x"])
    written = write(reported(**values), lambda *_: data.draw(outcomes))
    refused = [entry[:2] for entry in written if entry[2] not in ("Accepted", "RebootRequired")]
    assert len(refused) == len(set(refused))


@pytest.mark.parametrize(
    ("said", "units"),
    [
        ("Current", ("A",)),
        ("Power", ("W",)),
        ("Current,Power", ("A", "W")),
        ("Power, Current", ("A", "W")),
        ("W", ("W",)),
        ("A", ("A",)),
        ("", ("A", "W")),
        ("?", ("A", "W")),
    ],
)
def test_the_unit_is_understood_however_it_is_said(said, units):
    assert capabilities(reported(ChargingScheduleAllowedChargingRateUnit=said)).units == units


@pytest.mark.parametrize(
    ("said", "rotation"),
    [
        ("1.RST", "L1L2L3"),
        ("0.RST,1.RTS", "L1L3L2"),
        ("0.STR", "L2L3L1"),
        ("TRS", "L3L1L2"),
        ("1.Unknown", ""),
        ("NotApplicable", ""),
        ("0.Unknown, 1.Unknown, 2.SRT", "L2L1L3"),
    ],
)
def test_the_phase_rotation_is_proposed(said, rotation):
    assert capabilities(reported(ConnectorPhaseRotation=said)).rotation == rotation


@pytest.mark.parametrize(
    ("said", "has"),
    [("Core,SmartCharging", True), ("core, smart charging", True), ("Core,RemoteTrigger", False), ("", None)],
)
def test_smart_charging_is_known_unknown_or_missing(said, has):
    assert capabilities(reported(SupportedFeatureProfiles=said)).has_smart_charging is has


def test_a_station_that_says_nothing_can_what_all_can():
    can = capabilities({})
    assert (can.connectors, can.units, can.top_stack_level, can.most_profiles) == (1, ("A", "W"), 0, None)


def test_an_absurd_number_of_connectors_is_not_believed():
    assert capabilities(reported(NumberOfConnectors="65535")).connectors == 1


def test_keys_are_known_by_whatever_case_they_are_written_in_and_oddities_are_skipped():
    entries = [{"key": "numberofconnectors", "value": 2}, {"key": "X", "readonly": True}, {"value": "?"}, 7]
    assert read_answer({"configurationKey": entries}) == {
        "NumberOfConnectors": Reported("2", False),
        "X": Reported("", True),
    }
    assert read_answer({"configurationKey": None}) == {}


def test_a_password_that_a_station_gives_away_is_not_kept():
    said = reported(AuthorizationKey="73656372", NumberOfConnectors="1", evb_SupportedMeasurands="Voltage")
    assert set(worth_keeping(said)) == {"NumberOfConnectors", "evb_SupportedMeasurands"}


def test_a_list_as_long_as_the_station_gives_at_once_may_lack_something():
    """Wallbox gives 50."""
    few = reported(GetConfigurationMaxKeys="50", NumberOfConnectors="1")
    assert tells_all(few)
    many = few | {f"Key{n}": Reported("", False) for n in range(48)}
    assert not tells_all(many)
    assert not tells_all({})


def test_questions_are_as_long_as_the_station_takes_and_leave_nothing_out():
    asked = pieces(reported(GetConfigurationMaxKeys="4"))
    assert max(map(len, asked)) == 4
    assert {name for piece in asked for name in piece} == set(NEEDED) - {"GetConfigurationMaxKeys"}
