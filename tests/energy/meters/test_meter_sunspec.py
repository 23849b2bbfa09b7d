"""Meters behind a SunSpec model chain."""

import pytest

from energy.meters.base import MeterError, MeterUnreachable
from energy.meters.decode import load_maps, manual_map
from energy.meters.modbus import ModbusMeter
from tests.energy.meters.device import Server, running_loop, words_of

END = [0xFFFF, 0]


def chain(*models, base=40000):
    words = [0x5375, 0x6E53, *[word for model in models for word in model]]
    return {(3, base + at): word for at, word in enumerate(words)}


@pytest.fixture(scope="module")
def loop():
    with running_loop() as loop:
        yield loop


@pytest.fixture
def read(loop):
    """Read the meter whose registers begin with "SunS" and the given models at the base address."""
    closing = []

    def start(*models, base=40000, sunspec=None):
        server = Server(loop, chain(*models, base=base))
        meter = ModbusMeter(server.url, 1, sunspec or load_maps()["sunspec_203"])
        closing.extend([meter.close, server.stop])
        return [meter.read() for _ in range(2)][-1]

    yield start
    for close in closing:
        close()


def common():
    return [1, 66, *[0] * 66]


def integer_model(number=203, **signed):
    model = [number, 105, *[0x8000] * 105]
    model[3:6], model[8:11], model[19:22] = (1234, 567, 89), (2301, 2302, 2303), (2839, 1305, 205)
    model[6], model[15], model[22], model[54] = 0xFFFE, 0xFFFF, 0, 1  # powers of ten: -2, -1, 0, 1
    model[38:40], model[46:48] = words_of("uint32", "big", 70), words_of("uint32", "big", 100_000)
    for offset, value in signed.items():
        model[int(offset.removeprefix("at_"))] = value & 0xFFFF
    return model


def float_model(number=213):
    model = [number, 124, *[0x7FC0, 0] * 62]
    for offset, value in {4: 12.5, 6: 5.5, 8: 0.75, 12: 230.0, 60: 700.0, 68: 1_000_000.0}.items():
        model[offset : offset + 2] = words_of("float32", "big", value)
    return model


@pytest.mark.parametrize("base", [0, 40000, 50000])
def test_a_meter_model_is_found_wherever_the_chain_begins(read, base):
    sample = read(common(), integer_model(), END, base=base)
    assert sample.currents_a == pytest.approx((12.34, 5.67, 0.89))
    assert sample.voltages_v == pytest.approx((230.1, 230.2, 230.3))
    assert sample.powers_w == (2839, 1305, 205)
    assert (sample.energy_import_wh, sample.energy_export_wh) == (1_000_000, 700)


def test_a_float_model_is_read(read):
    sample = read(common(), float_model(), END)
    assert sample.currents_a == (12.5, 5.5, 0.75)
    assert sample.voltages_v == (230, None, None)
    assert (sample.energy_import_wh, sample.energy_export_wh) == (1_000_000, 700)


def test_a_single_phase_model_fills_l1(read):
    sample = read(integer_model(201), END)
    assert sample.currents_a == pytest.approx((12.34, 0, 0))


def test_a_counter_at_zero_does_not_count(read):
    assert read(integer_model(at_38=0, at_39=0), END).energy_export_wh is None


def test_makers_disagree_about_the_sign_so_it_is_import(read):
    assert read(integer_model(at_3=-1234, at_19=-2839), END).currents_a[0] == pytest.approx(12.34)


def test_an_installer_who_knows_the_sign_may_say_so(read):
    signed = manual_map({"like": "sunspec_203", "current_sign": "magnitude"})
    assert read(integer_model(at_19=-2839), END, sunspec=signed).currents_a[0] == pytest.approx(-12.34)


def test_a_scale_factor_out_of_range_is_no_current(read):
    with pytest.raises(MeterError, match="Current on L1"):
        read(integer_model(at_6=0x8000), END)


def test_a_device_without_a_meter_model_is_named(read):
    with pytest.raises(MeterError, match=r"expected one of the meter models 201, .* found \[1, 103\]"):
        read(common(), [103, 2, 0, 0], END)


def test_a_device_that_speaks_no_sunspec_is_named(loop):
    server = Server(loop, {(3, addr): 0 for addr in (0, 1, 40000, 40001)})
    meter = ModbusMeter(server.url, 1, load_maps()["sunspec_203"])
    with pytest.raises(MeterError, match="expected the text SunS at 40000, 50000, 0"):
        meter.read()
    meter.close()
    server.stop()


def test_a_device_that_comes_back_changed_is_searched_anew(loop):
    first = Server(loop, chain(integer_model(), END))
    meter = ModbusMeter(first.url, 1, load_maps()["sunspec_203"])
    assert meter.read().currents_a[0] == pytest.approx(12.34)
    first.stop()
    with pytest.raises(MeterUnreachable):
        meter.read()
    second = Server(loop, chain(common(), float_model(), END), port=first.port)
    assert meter.read().currents_a[0] == 12.5
    meter.close()
    second.stop()


def test_a_chain_without_end_is_given_up(read):
    with pytest.raises(MeterError, match="expected one of the meter models"):
        read(*[[7, 0]] * 80)
