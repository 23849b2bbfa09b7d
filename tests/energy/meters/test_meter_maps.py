"""registers.yaml and an installer's own map."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.meters.base import MeterError, MeterMapError
from energy.meters.decode import load_maps, manual_map, plan, primary_factor

KNOWN = [
    "hager_ecr380d",
    "hager_ecr300c",
    "hager_ecr140d",
    "hager_flow_emc",
    "hager_no_modbus",
    "eastron_sdm630",
    "eastron_sdm72v2",
    "eastron_sdm72v1",
    "eastron_sdm230",
    "cg_em340",
    "cg_em24_rs485",
    "cg_em24_e1",
    "schneider_iem3000",
    "schneider_pm5000",
    "janitza_19000",
    "janitza_umg604",
    "siemens_pac",
    "siemens_7kt_pac1600",
    "lovato_dmg",
    "abb_b23",
    "socomec_countis_e",
    "phoenix_eem_mb370",
    "wago_879",
    "inepro_pro380",
    "chint_dtsu666",
    "shelly_pro3em",
    "sunspec_203",
    "victron_gx_grid",
    "sma_home_manager_modbus",
    "sma_speedwire",
    "p1_dsmr",
    "linky_tic",
]
REFUSED = {"hager_no_modbus", "eastron_sdm72v1", "sma_home_manager_modbus", "sma_speedwire", "p1_dsmr", "linky_tic"}
CURRENTS = {f"i{line}": {"addr": 10 + 2 * line, "type": "float32"} for line in (1, 2, 3)}


def test_every_known_meter_has_a_map():
    assert set(load_maps()) == set(KNOWN)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_meter_that_cannot_protect_a_fuse_is_refused_with_a_sentence(name):
    with pytest.raises(MeterError, match=r"cannot protect a fuse.*\.$"):
        plan(load_maps()[name])


@pytest.mark.parametrize("name", sorted(set(KNOWN) - REFUSED - {"sunspec_203"}))
def test_a_plan_reads_every_current_and_nothing_that_the_map_does_not_name(name):
    meter_map = load_maps()[name]
    named = {(r.fc, at) for r in meter_map.registers.values() for at in range(r.addr, r.block.end)}
    read = {(block.fc, at) for block in plan(meter_map) for at in range(block.addr, block.end)}
    assert read <= named
    assert all(block.count <= meter_map.max_regs for block in plan(meter_map))
    for line in range(1, meter_map.phases + 1):
        register = meter_map.registers[f"i{line}"]
        assert any(block.holds(register.block) for block in plan(meter_map))


def test_a_map_that_is_like_another_takes_over_registers_but_not_remarks():
    like, single = load_maps()["hager_ecr380d"], load_maps()["hager_ecr140d"]
    assert single.registers == {n: r for n, r in like.registers.items() if n[1:] not in ("2", "3")}
    assert (single.phases, single.serial, single.remarks) == (1, like.serial, ())
    assert like.remarks


def test_a_search_probe_is_part_of_the_map():
    detect = load_maps()["socomec_countis_e"].detect
    assert (detect.probe.fc, detect.probe.addresses, detect.probe.type) == (3, (0xC350,), "uint64")
    assert detect.probe.values == {0x0053004F0043004F: "Socomec"}
    assert detect.also["model"].match


def test_em24_reads_no_more_than_eleven_registers_at_once():
    assert [(b.addr, b.count) for b in plan(load_maps()["cg_em24_rs485"])] == [(0x0C, 6), (0x12, 6)]


def test_a_manual_map_needs_only_its_currents():
    meter_map = manual_map({"fc": 4, "registers": CURRENTS})
    assert meter_map.id == "manual"
    assert (meter_map.phases, meter_map.order, meter_map.ct) == (3, "big", "unknown")
    assert [(b.fc, b.addr, b.count) for b in plan(meter_map)] == [(4, 12, 6)]


def test_a_manual_map_may_change_one_thing_of_a_known_one():
    swapped = manual_map({"like": "schneider_pm5000", "order": "little"})
    assert swapped.order == "little"
    assert swapped.registers == load_maps()["schneider_pm5000"].registers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc": 6}, r"^fc: expected a whole number from 3 to 4, got 6"),
        ({"fc": None}, r"^registers\.i1\.fc: expected 3 .* or 4"),
        ({"registers": {"i1": CURRENTS["i1"]}}, r"^registers\.i2: expected the current of L2"),
        ({"registers": {**CURRENTS, "x9": {}}}, r"^registers\.x9: expected one of"),
        ({"registers": {**CURRENTS, "u1": 4}}, r"^registers\.u1: expected keys"),
        ({"registers": {**CURRENTS, "u1": {"addr": 70000, "type": "int16"}}}, r"^registers\.u1\.addr: .* got 70000"),
        ({"registers": {**CURRENTS, "u1": {"addr": 65535, "type": "int32"}}}, r"^registers\.u1\.addr: .* 65534"),
        ({"registers": {**CURRENTS, "u1": {"addr": "4", "type": "int16"}}}, r"^registers\.u1\.addr: .* '4'"),
        ({"registers": {**CURRENTS, "u1": {"addr": True, "type": "int16"}}}, r"^registers\.u1\.addr: .* True"),
        ({"registers": {**CURRENTS, "u1": {"addr": 4, "type": "bcd"}}}, r"^registers\.u1\.type: .* 'bcd'"),
        ({"registers": {**CURRENTS, "u1": {"addr": 4}}}, r"^registers\.u1\.type: expected"),
        ({"registers": {**CURRENTS, "u1": {"type": "int16"}}}, r"^registers\.u1\.addr: expected"),
        ({"registers": {**CURRENTS, "u1": {"addr": 4, "type": "int16", "scale": 0}}}, r"^registers\.u1\.scale: .* 0"),
        ({"registers": {**CURRENTS, "u1": {"addr": 4, "type": "int16", "scale": -1}}}, r"^registers\.u1\.scale"),
        ({"registers": {**CURRENTS, "u1": {"addr": 4, "type": "int16", "scale": float("nan")}}}, r"scale.*nan"),
        ({"registers": 3}, r"^registers: expected keys with values, got 3"),
        ({"phases": 2}, r"^phases: expected 1 or 3, got 2"),
        ({"phases": 1}, r"^registers\.i2: expected no values of L2"),
        ({"order": "middle"}, r"^order: expected one of big, little, got 'middle'"),
        ({"current_sign": "maybe"}, r"^current_sign: .*'maybe'"),
        ({"ct": 5}, r"^ct: expected one of none, meter, reader, unknown, got 5"),
        ({"max_regs": 126}, r"^max_regs: expected a whole number from 4 to 125"),
        ({"invalid": {"int16": 70000}}, r"^invalid\.int16"),
        ({"serial": {"parity": "X"}}, r"^serial\.parity: expected one of N, E, O"),
        ({"tcp": {"port": 0}}, r"^tcp\.port"),
        ({"transports": ["usb"]}, r"^transports: .*'usb'"),
        ({"like": "nothing"}, r"^like: expected the id of a map, got 'nothing'"),
        ({"like": "cg_em340", "drop": ["x"]}, r"^drop: expected a list of registers of cg_em340, got \['x'\]"),
        ({"like": "cg_em340", "drop": 5}, r"^drop: expected a list"),
        ({"detect": {"addr": 1, "type": "string:0"}}, r"^detect\.type"),
        ({"detect": {"addr": 1, "type": "string:4", "match": "("}}, r"^detect\.match"),
        ({"detect": {"addr": -1, "type": "uint16"}}, r"^detect\.addr"),
        ({"detect": {"addr": 1, "type": "uint16", "values": {"a": "b"}}}, r"^detect\.values"),
        ({"adress": 1}, r"^adress: expected one of"),
    ],
)
def test_a_mistake_in_a_manual_map_is_named_by_its_key(change, message):
    with pytest.raises(MeterMapError, match=message):
        manual_map({"fc": 4, "registers": CURRENTS, **change})


KEYS = st.sampled_from(
    ["like", "drop", "registers", "detect", "i1", "i2", "i3", "addr", "type", "invalid", "also", "match"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["cg_em340", "int16"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
)


@settings(deadline=None)
@given(JSON)
def test_whatever_is_given_as_a_manual_map_is_taken_or_refused_by_name(spec):
    try:
        meter_map = manual_map(spec)
    except MeterMapError:
        return
    assert plan(meter_map)


def test_a_manual_map_that_is_none_is_refused():
    with pytest.raises(MeterMapError, match="expected keys with values"):
        manual_map([1])


@pytest.mark.parametrize("ct", ["none", "meter"])
def test_a_meter_that_shows_primary_values_is_never_multiplied(ct):
    meter_map = manual_map({"fc": 4, "registers": CURRENTS, "ct": ct})
    assert primary_factor(meter_map, "ct_5a", 400) == 1.0


@pytest.mark.parametrize("ct", ["reader", "unknown"])
def test_secondary_values_are_multiplied_by_the_ratio(ct):
    meter_map = manual_map({"fc": 4, "registers": CURRENTS, "ct": ct})
    assert primary_factor(meter_map, "ct_5a", 400) == 80.0
    assert primary_factor(meter_map, "ct_1a", 6000) == 6000.0
    for ratio_a in (None, 74, 6001, float("nan")):
        with pytest.raises(MeterError, match="expected 75 to 6000 A"):
            primary_factor(meter_map, "ct_5a", ratio_a)


def test_direct_measurement_suits_a_meter_of_unknown_ratio_but_not_one_with_secondary_values():
    assert primary_factor(manual_map({"fc": 4, "registers": CURRENTS, "ct": "unknown"}), "direct", None) == 1.0
    with pytest.raises(MeterError, match="expected the kind of measurement ct_1a or ct_5a, got direct"):
        primary_factor(manual_map({"fc": 4, "registers": CURRENTS, "ct": "reader"}), "direct", None)
