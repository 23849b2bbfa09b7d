"""What a station says it can, and what must be set in it for load management (OCPP 1.6 §9); pure.

Everything written is tried once and its outcome kept: some stations restart when written to, or at the next boot ask
to be written to again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stations.ocpp16.normalise import text

SAMPLE_INTERVAL, SAMPLED_DATA = "MeterValueSampleInterval", "MeterValuesSampledData"
PING_INTERVAL = "WebSocketPingInterval"
LIST_ENABLED, AUTHORIZES_OFFLINE = "LocalAuthListEnabled", "LocalAuthorizeOffline"
LIST_LENGTH, LIST_PIECE = "LocalAuthListMaxLength", "SendLocalListMaxLength"
MOST_KEYS, SAMPLED_DATA_LENGTH = "GetConfigurationMaxKeys", "MeterValuesSampledDataMaxLength"
NEEDED = (
    MOST_KEYS,
    "SupportedFeatureProfiles",
    "NumberOfConnectors",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "MaxChargingProfilesInstalled",
    "ConnectorSwitch3to1PhaseSupported",
    "ConnectorPhaseRotation",
    SAMPLE_INTERVAL,
    SAMPLED_DATA,
    SAMPLED_DATA_LENGTH,
    PING_INTERVAL,
    LIST_ENABLED,
    LIST_LENGTH,
    LIST_PIECE,
    AUTHORIZES_OFFLINE,
)
MANDATORY = ("SupportedFeatureProfiles", "NumberOfConnectors", SAMPLE_INTERVAL, SAMPLED_DATA)
MOST_KEYS_UNSAID = 10

# Samples this often are what the loop wants; the longer ones are the least that some makes take.
SAMPLE_INTERVALS_S = (10, 30, 60)
PING_INTERVAL_S = 30
# In the order of need: a station that takes only a few gets the first.
MEASURANDS = ("Current.Import", "Energy.Active.Import.Register", "Power.Active.Import", "Voltage", "Current.Offered")
SHORT_LIST = 3
CHOKE_ON_OFFERED = ("evbox", "wallbox")
MOST_CONNECTORS = 20
LONGEST = 500

WRITTEN = frozenset({"Accepted", "RebootRequired"})
UNRESOLVED = ("", "no answer")


class Reported(NamedTuple):
    """A configuration key as the station gave it."""

    value: str
    is_readonly: bool


class Tried(NamedTuple):
    """A value that was written, and what came of it: a ConfigurationStatus, an error, or UNRESOLVED."""

    key: str
    value: str
    outcome: str


class Change(NamedTuple):
    """A value to write."""

    key: str
    value: str


Choice = Callable[[Mapping[str, Reported], Sequence[Tried], str], str | None]
"""What is known, what was tried of this key, the vendor → the value to write, None: none."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a station can, as far as it said; the defaults are those of one that said nothing.

    `rotation` is what it proposes (`L1L2L3`, …), empty where it does not know. `has_smart_charging` None: not said.
    `list_length`, `list_piece`: badges in its local list, and in one message; None: not said.
    """

    connectors: int = 1
    units: tuple[str, ...] = ("A", "W")
    top_stack_level: int = 0
    most_profiles: int | None = None
    feature_profiles: tuple[str, ...] = ()
    has_smart_charging: bool | None = None
    switches_phases: bool = False
    rotation: str = ""
    has_local_list: bool = False
    list_length: int | None = None
    list_piece: int | None = None


def read_answer(answer: Mapping[str, Any]) -> dict[str, Reported]:
    """Read a GetConfiguration answer; keys that we know by another case get our spelling."""
    spelling = {name.casefold(): name for name in NEEDED}
    reported = {}
    entries = answer.get("configurationKey")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("key"):
            name = text(entry["key"], LONGEST)
            value = text(entry.get("value"), LONGEST)
            reported[spelling.get(name.casefold(), name)] = Reported(value, entry.get("readonly") is True)
    return reported


def worth_keeping(reported: Mapping[str, Reported]) -> dict[str, Reported]:
    """Leave out what nobody needs: some stations give away their passwords here."""
    return {name: key for name, key in reported.items() if name in NEEDED or _names_supported(name)}


def _names_supported(name: str) -> bool:
    return name.casefold().endswith("supportedmeasurands")


def tells_all(reported: Mapping[str, Reported]) -> bool:
    """Say whether the answer to the question for everything holds everything: it is shorter than it might have been.

    One that does not say how long it might be holds everything if it holds what every station must have.
    """
    most = _number(reported, MOST_KEYS)
    return len(reported) < most if most is not None else all(name in reported for name in MANDATORY)


def pieces(reported: Mapping[str, Reported]) -> list[list[str]]:
    """Cut the keys that are needed and not yet known into questions as long as the station takes."""
    missing = [name for name in NEEDED if name not in reported]
    size = _number(reported, MOST_KEYS) or MOST_KEYS_UNSAID
    return [missing[start : start + size] for start in range(0, len(missing), size)]


def capabilities(reported: Mapping[str, Reported]) -> Capabilities:
    """Read what a station can from its configuration."""
    features = _words(reported, "SupportedFeatureProfiles")
    connectors = _number(reported, "NumberOfConnectors") or 1
    return Capabilities(
        connectors=connectors if connectors <= MOST_CONNECTORS else 1,
        units=_units(reported),
        top_stack_level=_number(reported, "ChargeProfileMaxStackLevel") or 0,
        most_profiles=_number(reported, "MaxChargingProfilesInstalled"),
        feature_profiles=tuple(features),
        has_smart_charging=any(_plain(word) == "smartcharging" for word in features) if features else None,
        switches_phases=_text(reported, "ConnectorSwitch3to1PhaseSupported").casefold() == "true",
        rotation=_rotation(_words(reported, "ConnectorPhaseRotation")),
        has_local_list=_has_local_list(reported),
        list_length=_number(reported, LIST_LENGTH),
        list_piece=_number(reported, LIST_PIECE),
    )


def _has_local_list(reported: Mapping[str, Reported]) -> bool:
    return any(_plain(word) == "localauthlistmanagement" for word in _words(reported, "SupportedFeatureProfiles"))


def _units(reported: Mapping[str, Reported]) -> tuple[str, ...]:
    """Read the units of a limit: `Current`, `Power`, and against the standard `A`, `W`."""
    words = {_plain(word)[0] for word in _words(reported, "ChargingScheduleAllowedChargingRateUnit")}
    units = tuple(unit for unit, initials in (("A", "ca"), ("W", "pw")) if words & set(initials))
    return units or ("A", "W")


def _rotation(words: Iterable[str]) -> str:
    """Translate `1.RTS` to `L1L3L2`; of several connectors the first counts."""
    pairs = [word.rpartition(".")[::2] for word in words]
    for _connector, phases in sorted(pairs, key=lambda pair: pair[0] != "1"):
        if sorted(phases.upper()) == ["R", "S", "T"]:
            return "".join(f"L{'RST'.index(phase) + 1}" for phase in phases.upper())
    return ""


def next_change(reported: Mapping[str, Reported], tried: Sequence[Tried], vendor: str) -> Change | None:
    """Decide what to write next; None when all is as it must be or cannot be had."""
    for name, choose in CHOICES.items():
        own = [attempt for attempt in tried if attempt.key == name]
        known = reported.get(name)
        if (known is not None and known.is_readonly) or any(attempt.outcome in UNRESOLVED for attempt in own):
            continue
        value = choose(reported, own, vendor)
        if value is not None:
            return Change(name, value)
    return None


def _sample_interval(reported: Mapping[str, Reported], own: Sequence[Tried], vendor: str) -> str | None:  # noqa: ARG001
    """Choose how often to sample, s: not less often than needed, or as often as the station takes."""
    now_s = _number(reported, SAMPLE_INTERVAL) or 0
    if any(attempt.outcome in WRITTEN for attempt in own):
        return None
    for wanted_s in SAMPLE_INTERVALS_S:
        if 0 < now_s <= wanted_s:
            return None
        if not any(attempt.value == str(wanted_s) for attempt in own):
            return str(wanted_s)
    return None


def _sampled_data(reported: Mapping[str, Reported], own: Sequence[Tried], vendor: str) -> str | None:
    """Choose what to sample: the whole list, a shorter one, each alone, and then together what was taken alone."""
    wanted = wanted_measurands(reported, vendor)
    if set(wanted) <= set(_words(reported, SAMPLED_DATA)) and not own:
        return None
    outcomes = {attempt.value: attempt.outcome in WRITTEN for attempt in own}
    for size in (len(wanted), SHORT_LIST):
        several = ",".join(wanted[:size])
        if several not in outcomes:
            return several
        if outcomes[several]:
            return None
    for measurand in wanted:
        if measurand not in outcomes:
            return measurand
    taken = [measurand for measurand in wanted if outcomes[measurand]]
    together = ",".join(taken)
    if not taken or (outcomes.get(together) and len(taken) > 1):
        return None
    if together not in outcomes:
        return together
    return taken[0] if own[-1].value != taken[0] and len(taken) > 1 else None


def wanted_measurands(reported: Mapping[str, Reported], vendor: str) -> tuple[str, ...]:
    """List what the station is to sample, the most needed first, as many as it takes."""
    supported = next((name for name in reported if _names_supported(name)), "")
    can = _words(reported, supported)
    chokes = any(maker in vendor.casefold() for maker in CHOKE_ON_OFFERED)
    wanted = [
        measurand
        for measurand in MEASURANDS
        if (not can or measurand in can) and not (chokes and measurand.endswith(".Offered"))
    ]
    return tuple(wanted[: _number(reported, SAMPLED_DATA_LENGTH) or None])


def _ping_interval(reported: Mapping[str, Reported], own: Sequence[Tried], vendor: str) -> str | None:  # noqa: ARG001
    """Choose how often a station that has this key looks whether the link is alive, s."""
    if PING_INTERVAL not in reported or own:
        return None
    now_s = _number(reported, PING_INTERVAL) or 0
    return None if 0 < now_s <= PING_INTERVAL_S else str(PING_INTERVAL_S)


def _on_for_the_list(name: str) -> Choice:
    """Choose that what makes a local list count is switched on, where the station has both."""

    def choose(reported: Mapping[str, Reported], own: Sequence[Tried], vendor: str) -> str | None:  # noqa: ARG001
        if own or name not in reported or not _has_local_list(reported):
            return None
        return None if _text(reported, name).casefold() == "true" else "true"

    return choose


CHOICES: dict[str, Choice] = {
    SAMPLE_INTERVAL: _sample_interval,
    SAMPLED_DATA: _sampled_data,
    PING_INTERVAL: _ping_interval,
    LIST_ENABLED: _on_for_the_list(LIST_ENABLED),
    AUTHORIZES_OFFLINE: _on_for_the_list(AUTHORIZES_OFFLINE),
}


def _text(reported: Mapping[str, Reported], name: str) -> str:
    return reported[name].value.strip() if name in reported else ""


def _words(reported: Mapping[str, Reported], name: str) -> list[str]:
    return [word.strip() for word in _text(reported, name).split(",") if word.strip()]


def _plain(word: str) -> str:
    return word.casefold().replace(" ", "")


def _number(reported: Mapping[str, Reported], name: str) -> int | None:
    """Read a number of 0 or more; None where there is none."""
    text = _text(reported, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
