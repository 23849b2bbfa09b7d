"""What real stations send becomes what we store."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16 import normalise
from stations.ocpp16.frames import OcppError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=25),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["connectorId", "idTag", "meterStart", "meterStop", "timestamp", "transactionId", "reason", "status", "errorCode"]
)


def values(*sampled, timestamp="2026-11-22T11:59:58Z"):
    return [{"timestamp": timestamp, "sampledValue": list(sampled)}]


def only(*sampled):
    (sample,) = normalise.samples(values(*sampled), NOW)
    return sample


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("2026-11-22T11:00:00Z", NOW - timedelta(hours=1)),
        ("2026-11-22T11:00:00", NOW - timedelta(hours=1)),
        ("2026-11-22T12:00:00+01:00", NOW - timedelta(hours=1)),
        ("2026-11-22T11:00:00.123456Z", NOW - timedelta(hours=1) + timedelta(microseconds=123456)),
        ("2026-11-22t11:00:00z", NOW - timedelta(hours=1)),
        ("2026-11-22T12:04:59Z", NOW + timedelta(minutes=4, seconds=59)),
    ],
)
def test_times_are_read_and_no_zone_means_utc(raw, at):
    assert normalise.moment(raw, NOW) == (at, False)


@pytest.mark.parametrize("raw", ["1970-01-01T01:00:00Z", "2026-11-22T12:06:00Z", "yesterday", "", None, 17, "9999-99"])
def test_an_impossible_time_becomes_the_time_of_receipt_and_is_flagged(raw):
    assert normalise.moment(raw, NOW) == (NOW, True)


@pytest.mark.parametrize(("raw", "value"), [("12,3", 12.3), (" 7 ", 7.0), (5, 5.0), ("1e3", 1000.0), ("-2", -2.0)])
def test_numbers_are_read_with_commas_and_spaces(raw, value):
    assert normalise.number(raw) == value


@pytest.mark.parametrize("raw", ["nan", "inf", "", "x", None, True, [], float("nan"), "--"])
def test_what_is_no_number_is_none(raw):
    assert normalise.number(raw) is None


@pytest.mark.parametrize(
    ("raw", "wh"), [("1234.6", 1235), (0, 0), (-1, None), ("4294965680", 4294965680), (1e30, None)]
)
def test_energy_is_whole_watt_hours_and_never_negative(raw, wh):
    assert normalise.watt_hours(raw) == wh


def test_energy_in_kwh_is_turned_into_wh():
    sample = only({"value": "12.345", "unit": "kWh", "measurand": "Energy.Active.Import.Register"})
    assert sample.energy_wh == 12345


def test_a_value_without_measurand_is_the_energy_register():
    assert only({"value": "500"}).energy_wh == 500


def test_phases_are_kept_and_their_total_is_not_added():
    sample = only(
        {"value": "10", "measurand": "Current.Import", "phase": "L1"},
        {"value": "11", "measurand": "Current.Import", "phase": "L2"},
        {"value": "12", "measurand": "Current.Import", "phase": "L3"},
        {"value": "33", "measurand": "Current.Import"},
    )
    assert sample.currents_a == (10, 11, 12)


def test_currents_come_from_power_per_phase_where_no_current_is_given():
    sample = only(
        {"value": "2.3", "unit": "kW", "measurand": "Power.Active.Import", "phase": "L1"},
        {"value": "230", "measurand": "Voltage", "phase": "L1-N"},
    )
    assert sample.currents_a == (10, None, None)
    assert sample.power_w == 2300


def test_a_power_that_no_phase_can_carry_says_nothing_of_its_current():
    sample = only(
        {"value": "2300", "measurand": "Power.Active.Import", "phase": "L1"},
        {"value": "230001", "measurand": "Power.Active.Import", "phase": "L2"},
    )
    assert sample.currents_a == (10, None, None)


def test_one_current_counts_for_three_phases_where_the_power_says_so():
    three = only({"value": "16", "measurand": "Current.Import"}, {"value": "11040", "measurand": "Power.Active.Import"})
    one = only({"value": "16", "measurand": "Current.Import"}, {"value": "3680", "measurand": "Power.Active.Import"})
    assert three.currents_a == (16, 16, 16)
    assert one.currents_a == (16, None, None)


def test_odd_measurands_units_and_phases_are_skipped_and_the_rest_is_kept():
    sample = only(
        {"value": "31", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "50", "measurand": "Frequency", "unit": "Hz"},
        {"value": "junk", "measurand": "Voltage", "phase": "L1"},
        {"value": "6", "measurand": "Current.Import", "phase": "N"},
        {"value": "7", "measurand": "Current.Import", "phase": "l2"},
    )
    assert sample.currents_a == (None, 7, None)


def test_parts_with_one_time_and_context_become_one_sample():
    parts = values({"value": "6", "measurand": "Current.Import", "phase": "L1"}) + values({"value": "900"})
    (sample,) = normalise.samples(parts, NOW)
    assert (sample.currents_a[0], sample.energy_wh) == (6, 900)


def test_a_negative_current_counts_as_none_drawn():
    assert only({"value": "-3", "measurand": "Current.Import", "phase": "L1"}).currents_a[0] == 0


def test_a_status_keeps_the_maker_s_error():
    status = normalise.read_status(
        {"connectorId": 2, "status": "Faulted", "errorCode": "OtherError", "vendorErrorCode": "groundFailure"}, NOW
    )
    assert (status.connector, status.error_code) == (2, "OtherError groundFailure")


def test_a_status_without_a_status_is_the_one_thing_refused():
    with pytest.raises(OcppError) as error:
        normalise.read_status({"connectorId": 1}, NOW)
    assert error.value.code == "OccurenceConstraintViolation"


def test_a_start_without_meter_or_time_is_read_and_flagged():
    start = normalise.read_start({"idTag": "A1"}, NOW)
    assert (start.connector, start.meter_wh, start.at) == (1, 0, NOW)
    assert set(start.flags) == {normalise.CLOCK_FLAG, normalise.METER_FLAG}


@given(st.dictionaries(FIELDS, ANYTHING), ANYTHING)
def test_whatever_a_station_sends_a_start_a_stop_and_samples_are_read(payload, meter_values):
    assert normalise.read_start(payload, NOW).meter_wh >= 0
    stop = normalise.read_stop({**payload, "transactionData": meter_values}, NOW)
    assert stop.meter_wh is None or stop.meter_wh >= 0
    for sample in normalise.read_meter_values({**payload, "meterValue": meter_values}, NOW).samples:
        assert all(current is None or current >= 0 for current in sample.currents_a)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"value": ANYTHING},
            optional={
                "measurand": st.sampled_from(["Current.Import", "Voltage", "SoC", "Power.Active.Import", "X"]),
                "phase": st.sampled_from(["L1", "L2-N", "L3", "N", "L1-L2", ""]),
                "unit": ANYTHING,
            },
        )
    )
)
def test_whatever_a_sample_holds_no_current_is_ever_infinite_or_negative(sampled):
    for sample in normalise.samples(values(*sampled), NOW):
        assert all(current is None or 0 <= current < float("inf") for current in sample.currents_a)


def test_one_phase_stands_for_three_where_the_power_says_so():
    sample = only(
        {"value": "16", "measurand": "Current.Import", "phase": "L1"},
        {"value": "11", "unit": "kW", "measurand": "Power.Active.Import"},
    )
    assert sample.currents_a == (16, 16, 16)


@pytest.mark.parametrize(
    "value",
    [
        {"value": "1e308", "measurand": "Current.Import", "phase": "L1"},
        {"value": "1001", "measurand": "Current.Import"},
        {"value": "1e38", "unit": "kW", "measurand": "Power.Active.Import", "phase": "L1"},
        {"value": "99999", "measurand": "Voltage", "phase": "L1"},
    ],
)
def test_what_no_station_can_carry_is_no_measurement(value):
    sample = only(value)
    assert (sample.currents_a, sample.voltages_v, sample.power_w) == ((None,) * 3, (None,) * 3, None)


def test_kilo_is_for_power_and_energy_alone():
    assert only({"value": "16", "unit": "kW", "measurand": "Current.Import", "phase": "L1"}).currents_a[0] == 16


def test_what_is_kept_as_it_came_fits_any_database():
    deep = []
    for _ in range(1000):
        deep = [deep]
    kept = normalise.keepable({"idTag": "a\0b", "extra\0": deep, "n": 1.5, "none": None})
    assert kept["idTag"] == "ab"
    assert (kept["n"], kept["none"]) == (1.5, None)
    assert len(str(kept["extra"])) < 100


def test_a_connector_that_no_station_has_is_not_taken_for_the_first():
    assert normalise.read_start({"connectorId": 99999999}, NOW).connector == 1000


def test_a_long_payload_is_kept_in_outline_and_told_from_others():
    long = {"transactionId": 7, "timestamp": "2026-01-05T10:00:00Z", "note": "x" * 300, "data": ["y" * 20_000]}
    kept = normalise.keepable(long)
    assert set(kept) == {"transactionId", "timestamp", "…"}
    assert normalise.keepable(long) == kept
    assert normalise.keepable({**long, "data": ["z" * 20_000]}) != kept
    assert normalise.keepable(long, most=30_000) == long


def test_the_outline_of_many_fields_is_short():
    assert len(normalise.keepable({f"key {number}": number for number in range(100_000)})) == normalise.MOST_FIELDS + 1


@pytest.mark.parametrize("raw", [0, -1, 2**31, 10**30, "x", None, True, {}])
def test_what_no_transaction_of_ours_can_be_is_none(raw):
    assert normalise.transaction_number({"transactionId": raw}) is None


@pytest.mark.parametrize("raw", [7, "7", 7.0, " 7 "])
def test_the_number_of_a_transaction_is_read_however_it_is_written(raw):
    assert normalise.transaction_number({"transactionId": raw}) == 7


def values_of(portion):
    return [(entry["timestamp"], value["value"]) for entry in portion["meterValue"] for value in entry["sampledValue"]]


@pytest.mark.parametrize(("moments", "each"), [(1, 1), (1, 500), (1, 1201), (3, 400), (1201, 1), (501, 2)])
def test_a_long_report_is_cut_into_portions_and_nothing_of_it_is_lost(moments, each):
    meter_value = [
        {"timestamp": f"T{moment}", "sampledValue": [{"value": f"{number}"} for number in range(each)]}
        for moment in range(moments)
    ]
    portions = list(normalise.portions({"connectorId": 2, "meterValue": meter_value}))
    assert [value for portion in portions for value in values_of(portion)] == values_of({"meterValue": meter_value})
    assert all(portion["connectorId"] == 2 and 0 < len(values_of(portion)) <= 500 for portion in portions)


@pytest.mark.parametrize("meter_value", [None, [], 7, "x", {}, [{}], [{"sampledValue": []}], [[{}]]])
def test_a_report_without_measurements_is_one_portion(meter_value):
    assert list(normalise.portions({"connectorId": 1, "meterValue": meter_value})) == [
        {"connectorId": 1, "meterValue": []}
    ]
