"""Registers → amperes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.meters.base import MeterImplausible
from energy.meters.decode import decode, load_maps, manual_map
from tests.energy.meters.device import encode

READABLE = [m for m in load_maps().values() if m.refusal is None and not m.sunspec]
maps = st.sampled_from(READABLE)


def three_phase(current_sign="magnitude", **more):
    """Give a float map with currents from 0, voltages from 10 and powers from 20."""
    registers = {
        f"{name}{line}": {"addr": at + 2 * line, "type": "float32"}
        for name, at in (("i", 0), ("u", 10), ("p", 20))
        for line in (1, 2, 3)
    }
    return manual_map({"fc": 3, "registers": registers, "current_sign": current_sign, **more})


def currents(meter_map, **values):
    return decode(meter_map, encode(meter_map, {"u1": 230, "u2": 230, "u3": 230, **values})).currents_a


@settings(deadline=None)
@given(maps, st.tuples(*[st.integers(0, 1500)] * 3))
def test_what_is_encoded_is_decoded(meter_map, amperes):
    values = {f"i{line}": amperes[line - 1] for line in range(1, 4)}
    words = encode(meter_map, values)
    expected = [a if line < meter_map.phases else 0 for line, a in enumerate(amperes)]
    assert decode(meter_map, words).currents_a == pytest.approx(expected, abs=0.001)


@settings(deadline=None)
@given(st.data(), maps)
def test_garbage_is_refused_or_finite(data, meter_map):
    words = {
        (register.fc, addr): data.draw(st.integers(0, 0xFFFF))
        for register in meter_map.registers.values()
        for addr in range(register.addr, register.block.end)
    }
    try:
        sample = decode(meter_map, words, ct_ratio=1200.0)
    except MeterImplausible:
        return
    assert all(math.isfinite(current) and abs(current) <= 20_000 for current in sample.currents_a)
    others = [*sample.voltages_v, *sample.powers_w, sample.frequency_hz, sample.energy_import_wh]
    assert all(math.isfinite(value) for value in others if value is not None)


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("kind", ["uint32", "int32", "float32", "uint64", "int64", "float64"])
def test_either_word_order_is_read(order, kind):
    registers = {f"i{line}": {"addr": 4 * line, "type": kind, "scale": 0.5} for line in (1, 2, 3)}
    meter_map = manual_map({"fc": 3, "order": order, "registers": registers})
    assert currents(meter_map, i1=16, i2=0.5, i3=200) == pytest.approx((16, 0.5, 200))


def test_high_word_first_means_the_first_register_weighs_more():
    registers = {"i1": {"addr": 0, "type": "uint32", "scale": 0.001}}
    words = {(3, 0): 0x0001, (3, 1): 0x0000}
    big = manual_map({"fc": 3, "phases": 1, "order": "big", "registers": registers})
    little = manual_map({"fc": 3, "phases": 1, "order": "little", "registers": registers})
    assert decode(big, words).currents_a == (65.536, 0.0, 0.0)
    assert decode(little, words).currents_a == (0.001, 0.0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30, 20_001, -0.5])
def test_a_current_that_cannot_be_is_refused(bad):
    with pytest.raises(MeterImplausible, match="Current on L2: expected 0 to 20000 A"):
        currents(three_phase(), i1=1, i2=bad, i3=1)


def test_a_current_marked_as_not_measured_is_refused():
    meter_map = load_maps()["hager_ecr380d"]
    words = encode(meter_map, {"i1": 10, "i2": 10, "i3": 10})
    words[3, 0xB00D] = words[3, 0xB00E] = 0xFFFF
    with pytest.raises(MeterImplausible, match=r"Current on L3: .* no number \(registers FFFF FFFF\)"):
        decode(meter_map, words)


def test_an_overflow_of_a_signed_current_is_refused():
    meter_map = load_maps()["cg_em340"]
    words = encode(meter_map, {})
    words[4, 0x0C], words[4, 0x0D] = 0xFFFF, 0x7FFF  # low word first
    with pytest.raises(MeterImplausible, match="Current on L1"):
        decode(meter_map, words)


def test_an_overflow_that_shows_in_the_high_word_alone_is_refused():
    meter_map = load_maps()["cg_em24_rs485"]
    words = encode(meter_map, {})
    words[4, 0x0D] = 0x7FFF
    with pytest.raises(MeterImplausible, match="Current on L1"):
        decode(meter_map, words)


def test_a_current_that_was_not_read_is_refused():
    with pytest.raises(MeterImplausible, match=r"Current on L1: .* \(registers ---- ----\)"):
        decode(three_phase(), {})


def test_what_is_not_measured_besides_the_currents_is_none():
    meter_map = load_maps()["abb_b23"]
    words = encode(meter_map, {"i1": 1, "i2": 2, "i3": 3, "u1": 230, "e_imp": 12.34})
    for addr in range(0x5004, 0x5008):
        words[3, addr] = 0xFFFF
    sample = decode(meter_map, words)
    assert (sample.energy_import_wh, sample.energy_export_wh, sample.frequency_hz) == (12340, None, None)


def test_nan_power_leaves_the_current_as_import():
    assert currents(three_phase(), i1=10, p1=math.nan) == (10, 0, 0)


@pytest.mark.parametrize("sign", ["magnitude", "unknown"])
def test_negative_power_makes_a_current_without_sign_export(sign):
    assert currents(three_phase(sign), i1=10, p1=-2300, i2=10, p2=2300, i3=4, p3=-800) == (-10, 10, -4)


def test_a_mostly_reactive_current_is_no_export():
    assert currents(three_phase(), i1=15, p1=-50) == (15, 0, 0)


def test_without_voltage_the_nominal_one_tells_export():
    meter_map = three_phase()
    words = encode(meter_map, {"i1": 10, "p1": -2300})
    assert decode(meter_map, words).currents_a == (-10, 0, 0)


def test_a_signed_current_keeps_its_sign():
    assert currents(three_phase("signed"), i1=-10, p1=-2300, i2=10, p2=2300, i3=-3) == (-10, 10, -3)


@pytest.mark.parametrize("sign", ["signed", "unknown"])
def test_a_sign_that_the_power_contradicts_counts_as_import(sign):
    assert currents(three_phase(sign), i1=-10, p1=2300) == (10, 0, 0)


def test_where_no_sign_can_be_trusted_every_current_is_import():
    assert currents(three_phase("import_only"), i1=-10, p1=-2300, i2=10, p2=-2300) == (10, 10, 0)


def test_the_transformer_ratio_multiplies_current_power_and_energy_but_not_voltage():
    meter_map = load_maps()["chint_dtsu666"]
    words = encode(meter_map, {"i1": 2, "i2": 1, "i3": 0.5, "u1": 230, "p1": 460, "e_imp": 10, "e_exp": 1})
    sample = decode(meter_map, words, ct_ratio=80)
    assert sample.currents_a == pytest.approx((160, 80, 40))
    assert (sample.powers_w[0], sample.voltages_v[0]) == pytest.approx((36800, 230))
    assert (sample.energy_import_wh, sample.energy_export_wh) == (800_000, 80_000)


def test_the_currents_of_a_single_phase_meter_are_on_l1():
    meter_map = load_maps()["eastron_sdm230"]
    sample = decode(meter_map, encode(meter_map, {"i1": 7, "u1": 231, "p1": 1600, "f": 50}))
    assert sample.currents_a == (7, 0, 0)
    assert sample.voltages_v == (231, None, None)
    assert sample.frequency_hz == 50
