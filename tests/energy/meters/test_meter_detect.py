"""What a meter answers to the probes, and which map that makes."""

import pytest

from energy.meters.base import MeterRefused, MeterUnreachable
from energy.meters.detect import recognise


def text(fc, addr, count, words):
    """Give the registers of a text."""
    raw = words.encode().ljust(2 * count, b"\0")
    return {(fc, addr + at): int.from_bytes(raw[2 * at : 2 * at + 2], "big") for at in range(count)}


def unit(words, *, silent=False, code=2):
    """Make a unit that holds `words` and refuses other requests with an exception, or stays silent on them."""
    asked = []

    def fetch(block):
        asked.append(block)
        keys = [(block.fc, addr) for addr in range(block.addr, block.end)]
        if all(key in words for key in keys):
            return [words[key] for key in keys]
        raise MeterUnreachable("silent") if silent else MeterRefused("refused", code=code)

    fetch.asked = asked
    return fetch


HAGER = text(3, 0x1000, 16, "Hager")


@pytest.mark.parametrize(
    ("words", "name", "label"),
    [
        (text(3, 0x1010, 16, "ECR381D") | HAGER, "hager_ecr380d", "ECR381D"),
        (text(3, 0x1010, 16, "ECR300C 6A") | HAGER, "hager_ecr300c", "ECR300C 6A"),
        (text(3, 0x1010, 16, "ECA180D"), "hager_ecr140d", "ECA180D"),
        ({(3, 0xFC03): 112}, "eastron_sdm630", "SDM630"),
        ({(3, 0xFC03): 137}, "eastron_sdm72v2", "SDM72D-M v2"),
        ({(4, 0x000B): 341}, "cg_em340", "EM340"),
        ({(4, 0x000B): 71}, "cg_em24_rs485", "EM24 AV9/AV2 rev"),
        ({(4, 0x000B): 1648}, "cg_em24_e1", "EM24DINAV23XE1X"),
        (text(3, 49, 20, "iEM3255"), "schneider_iem3000", "iEM3255"),
        (text(3, 29, 20, "PM5320"), "schneider_pm5000", "PM5320"),
        (text(3, 0x8960, 6, "B23 112-100"), "abb_b23", "B23 112-100"),
    ],
)
def test_a_meter_is_recognised_by_what_it_says_of_itself(words, name, label):
    found = recognise(unit(words))
    assert (found.map.id, found.label) == (name, label)


def test_a_family_member_that_cannot_protect_a_fuse_is_recognised_as_such():
    assert recognise(unit({(3, 0xFC03): 512})).map.refusal


def test_a_sunspec_device_counts_only_with_a_meter_model():
    inverter = text(3, 40000, 2, "SunS") | {(3, 40002): 103, (3, 40003): 50, (3, 40054): 0xFFFF, (3, 40055): 0}
    assert recognise(unit(inverter)).map is None
    meter = text(3, 40000, 2, "SunS") | {(3, 40002): 203, (3, 40003): 105}
    assert recognise(unit(meter)).map.id == "sunspec_203"


def test_a_second_text_that_speaks_against_a_map_rules_it_out():
    words = text(3, 0x1010, 16, "ECR381D") | text(3, 0x1000, 16, "Somebody else")
    assert recognise(unit(words)).map is None


def test_what_speaks_modbus_and_is_not_known_is_said_to_be_so():
    found = recognise(unit({}))
    assert (found.map, found.label) == (None, "")


def test_nobody_is_nobody_after_as_many_requests_as_patience_allows():
    fetch = unit({}, silent=True)
    assert recognise(fetch, patience=2) is None
    assert len(fetch.asked) == 2


def test_a_meter_that_is_silent_on_foreign_registers_is_found_within_its_patience():
    assert recognise(unit({(4, 0x000B): 341}, silent=True), patience=3).map.id == "cg_em340"


@pytest.mark.parametrize("code", [10, 11])
def test_a_gateway_that_finds_nobody_is_nobody(code):
    assert recognise(unit({}, code=code)) is None


def test_a_broken_text_is_no_meter():
    words = {(3, addr): 0xFFFF for addr in range(0x1010, 0x1020)}
    assert recognise(unit(words)).map is None
