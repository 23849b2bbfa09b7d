"""Whatever a station sends, what we store is sound; and what means the same is read the same."""

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.ocpp16 import normalise
from stations.ocpp16.frames import OcppError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATEST = NOW + normalise.FUTURE_TOLERANCE

MEASURANDS = ("Current.Import", "Voltage", "Power.Active.Import", "Energy.Active.Import.Register")
WORDS = st.sampled_from(
    [
        *MEASURANDS,
        *(
            "SoC",
            "Current.Offered",
            "Charging",
            "Transaction.End",
            "Sample.Periodic",
            "kWh",
            "W",
            "L1",
            "l3-n",
            "L1-L2",
        ),
        *("12,3", "-0", "1e400", "nan", "0x10", "٣", "\0", "a\0b", "\0\0", "N", "L1-L2", "2026-W47"),
        *("2026-11-22T11:00:00Z", "1970-01-01T00:00:00", "2026-11-22T11:00:00+25:00", "9999-12-31T23:59:59-14:00"),
        *("0001-01-01T00:00:00+14:00", "2026-11-22T13:00:00Z", "2026-02-30T00:00:00Z"),
    ]
)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=30) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | WORDS, inner, max_size=4),
    max_leaves=6,
)
AMOUNTS = (st.integers(-50, 300) | st.floats(-2e3, 2e6, allow_nan=False)).map(str) | ANY_JSON
SAMPLED = st.fixed_dictionaries(
    {"value": AMOUNTS},
    optional={
        "measurand": st.sampled_from([*MEASURANDS, "Current.Offered", "SoC", "Temperature"]) | WORDS,
        "phase": st.sampled_from(["L1", "L2-N", "L3", "N", None, 1, ""]),
        "unit": st.sampled_from(["A", "V", "W", "kW", "kWh", "Percent", None, 7]),
        "context": WORDS,
    },
)
METER_VALUES = st.lists(
    st.fixed_dictionaries(
        {"sampledValue": st.lists(SAMPLED, max_size=6) | ANY_JSON}, optional={"timestamp": WORDS | ANY_JSON}
    ),
    max_size=3,
)
KEYS = st.sampled_from(
    [
        *("connectorId", "idTag", "meterStart", "meterStop", "timestamp", "transactionId", "reason", "status"),
        *("errorCode", "info", "vendorErrorCode", "chargePointVendor", "chargePointModel", "firmwareVersion"),
        *("chargePointSerialNumber", "chargeBoxSerialNumber", "reservationId", "meterValue", "transactionData"),
    ]
)
PAYLOADS = st.dictionaries(KEYS, ANY_JSON | METER_VALUES, max_size=8)
READERS = (normalise.read_start, normalise.read_stop, normalise.read_meter_values)


def texts(part):
    """List all strings in a record."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [found for key, value in part.items() for found in texts(key) + texts(value)]
    if isinstance(part, list | tuple):
        return [found for value in part for found in texts(value)]
    return []


def check_time(at):
    assert at.tzinfo is not None
    assert normalise.EARLIEST <= at <= LATEST


def check_energy(energy_wh):
    assert energy_wh is None or (type(energy_wh) is int and 0 <= energy_wh < 2**63)


def check_sample(sample):
    check_time(sample.at)
    check_energy(sample.energy_wh)
    for current_a in (*sample.currents_a, sample.offered_a):
        assert current_a is None or 0 <= current_a <= 1000
    assert sample.soc_percent is None or 0 <= sample.soc_percent <= 100
    for amount in (*sample.currents_a, *sample.voltages_v, sample.power_w, sample.offered_a, sample.soc_percent):
        assert amount is None or math.isfinite(amount)


def check_record(record):
    """Check what any database must be able to keep."""
    stored = asdict(record)
    assert all("\0" not in found and len(found) <= 255 for found in texts(stored))
    orjson.dumps(stored)


@settings(max_examples=50)
@given(PAYLOADS)
def test_a_start_is_always_read_and_sound(payload):
    start = normalise.read_start(payload, NOW)
    check_record(start)
    check_time(start.at)
    check_energy(start.meter_wh)
    assert 1 <= start.connector <= 1000


@settings(max_examples=50)
@given(PAYLOADS)
def test_a_stop_is_always_read_and_sound(payload):
    stop = normalise.read_stop(payload, NOW)
    check_record(stop)
    check_time(stop.at)
    check_energy(stop.meter_wh)
    assert stop.transaction_id is None or -(2**63) <= stop.transaction_id < 2**63
    for sample in stop.samples:
        check_sample(sample)


@given(st.dictionaries(KEYS, ANY_JSON, max_size=3), METER_VALUES)
def test_meter_values_are_always_read_and_sound(payload, meter_values):
    values = normalise.read_meter_values({**payload, "meterValue": meter_values}, NOW)
    check_record(values)
    assert 0 <= values.connector <= 1000
    assert values.transaction_id is None or -(2**63) <= values.transaction_id < 2**63
    for sample in values.samples:
        check_sample(sample)
    assert [sample.at for sample in values.samples] == sorted(sample.at for sample in values.samples)


@settings(max_examples=50)
@given(PAYLOADS)
def test_a_boot_is_always_read_and_sound(payload):
    check_record(normalise.read_boot(payload))


@settings(max_examples=50)
@given(PAYLOADS)
def test_a_status_is_read_or_refused_for_want_of_a_status_alone(payload):
    if not normalise.text(payload.get("status"), 20):
        with pytest.raises(OcppError, match="OccurenceConstraintViolation"):
            normalise.read_status(payload, NOW)
        return
    status = normalise.read_status(payload, NOW)
    check_record(status)
    check_time(status.at)
    assert 0 <= status.connector <= 1000


@given(st.dictionaries(st.text(max_size=8) | WORDS, ANY_JSON, max_size=4))
def test_what_is_kept_as_it_came_is_sound_and_keeping_it_again_changes_nothing(payload):
    kept = normalise.keepable(payload)
    assert not any("\0" in found for found in texts(kept))
    orjson.dumps(kept)
    assert normalise.keepable(kept) == kept


@settings(max_examples=50)
@given(PAYLOADS)
def test_what_is_kept_as_it_came_is_read_as_it_came(payload):
    """A raw message of the database can be read anew."""
    for read in READERS:
        assert read(normalise.keepable(payload), NOW) == read(payload, NOW)


@settings(max_examples=50)
@given(PAYLOADS)
def test_the_order_of_keys_and_the_way_over_the_wire_change_nothing(payload):
    turned = json.loads(json.dumps(dict(reversed(payload.items()))))
    for read in READERS:
        assert read(turned, NOW) == read(payload, NOW)


MEASURED = st.integers(0, 999_999).map(lambda thousandths: thousandths / 1000)


def only(**value):
    (sample,) = normalise.samples([{"timestamp": "2026-11-22T11:59:58Z", "sampledValue": [value]}], NOW)
    return sample


@given(MEASURED)
def test_a_kilowatt_hour_is_a_thousand_watt_hours(energy_kwh):
    in_wh = only(value=str(energy_kwh * 1000), unit="Wh").energy_wh
    assert only(value=str(energy_kwh), unit="kWh").energy_wh == in_wh
    assert abs(in_wh - energy_kwh * 1000) <= 0.5


@given(MEASURED, st.sampled_from(MEASURANDS))
def test_a_comma_a_point_a_number_and_spaces_mean_the_same(amount, measurand):
    written = [str(amount), str(amount).replace(".", ","), f"  {amount} ", amount]
    assert len({only(value=value, measurand=measurand, phase="L2") for value in written}) == 1


@given(
    st.datetimes(datetime(2020, 1, 2), datetime(2026, 11, 22, 11)),  # noqa: DTZ001 (the zone is added below)
    st.integers(-14 * 60, 14 * 60),
)
def test_utc_an_offset_and_no_zone_mean_the_same_moment(naive, offset_min):
    at = naive.replace(tzinfo=UTC)
    shifted = at.astimezone(timezone(timedelta(minutes=offset_min)))
    for written in (naive.isoformat(), naive.isoformat() + "Z", naive.isoformat() + "z", shifted.isoformat()):
        assert normalise.moment(written, NOW) == (at, False)


@given(st.sampled_from("123"), MEASURED)
def test_a_phase_and_that_phase_to_neutral_mean_the_same(number, current_a):
    phases = (f"L{number}", f"L{number}-N", f"l{number}", f" L{number} ")
    samples = {only(value=str(current_a), measurand="Current.Import", phase=phase) for phase in phases}
    assert len(samples) == 1


@pytest.mark.parametrize("payload", [{}, {"connectorId": None}, {"meterValue": None, "transactionData": None}])
def test_an_empty_message_is_a_message(payload):
    for read in READERS:
        check_record(read(payload, NOW))
