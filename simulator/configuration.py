"""The configuration keys of a station (OCPP 1.6 §9) with their checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from string import hexdigits

from .model import Model

MEASURANDS = (
    "Current.Import",
    "Current.Offered",
    "Voltage",
    "Power.Active.Import",
    "Energy.Active.Import.Register",
)


@dataclass(slots=True)
class Key:
    """One key: its value as text, and what may be written: "text", "int", "bool", "measurands", "secret"
    (hexadecimal, kept nowhere, never read back), None for read-only."""

    value: str
    writable: str | None = None


# Keys that are the same on every station: factory value, and how they may be written.
FACTORY: dict[str, tuple[str, str | None]] = {
    "HeartbeatInterval": ("300", "int"),
    "ClockAlignedDataInterval": ("0", None),
    "MeterValuesAlignedData": ("", None),
    "StopTxnSampledData": ("Energy.Active.Import.Register", None),
    "StopTxnAlignedData": ("", None),
    "AuthorizeRemoteTxRequests": ("false", "bool"),
    "LocalAuthorizeOffline": ("true", "bool"),
    "LocalPreAuthorize": ("false", "bool"),
    "AllowOfflineTxForUnknownId": ("true", "bool"),
    "StopTransactionOnEVSideDisconnect": ("true", None),
    "StopTransactionOnInvalidId": ("true", "bool"),
    "ConnectionTimeOut": ("120", "int"),
    "TransactionMessageAttempts": ("3", "int"),
    "TransactionMessageRetryInterval": ("10", "int"),
    "UnlockConnectorOnEVSideDisconnect": ("true", None),
    "ResetRetries": ("1", "int"),
    "GetConfigurationMaxKeys": ("50", None),
    "LocalAuthListEnabled": ("true", "bool"),
    "LocalAuthListMaxLength": ("1000", None),
    "SendLocalListMaxLength": ("100", None),
    "ReserveConnectorZeroSupported": ("false", None),
    "AuthorizationKey": ("", "secret"),
}


class Configuration:
    """All keys of one station."""

    def __init__(self, keys: dict[str, Key]) -> None:
        self._keys = keys

    def seconds(self, name: str) -> float:
        """Read a key that holds a time, in s; 0 means never."""
        return float(self._keys[name].value)

    def number(self, name: str) -> int:
        """Read a key that holds a number."""
        return int(self._keys[name].value)

    def flag(self, name: str) -> bool:
        """Read a key that holds a boolean."""
        return self._keys[name].value == "true"

    def measurands(self) -> tuple[str, ...]:
        """Read which measurands are sampled during a transaction."""
        return tuple(filter(None, self._keys["MeterValuesSampledData"].value.split(",")))

    def put(self, name: str, value: str) -> None:
        """Set a key from inside the station, writable or not."""
        self._keys[name].value = value

    def read(self, names: Iterable[str]) -> dict[str, list[object]]:
        """Answer GetConfiguration (§5.8): the keys asked for, or all, and those nobody knows."""
        wanted = list(names)
        known = [name for name in wanted if name in self._keys] if wanted else list(self._keys)
        return {
            "configurationKey": [
                {"key": name, "readonly": self._keys[name].writable is None, "value": self._keys[name].value}
                for name in known
            ],
            "unknownKey": [name for name in wanted if name not in self._keys],
        }

    def change(self, name: str, value: str) -> str:
        """Answer ChangeConfiguration (§5.3): Accepted, Rejected or NotSupported."""
        key = self._keys.get(name)
        if key is None:
            return "NotSupported"
        if key.writable is None or not self._is_valid(key.writable, value):
            return "Rejected"
        if key.writable != "secret":
            key.value = value.lower() if key.writable == "bool" else value
        return "Accepted"

    def _is_valid(self, kind: str, value: str) -> bool:
        if kind == "int":
            return value.isascii() and value.isdigit()
        if kind == "bool":
            return value.lower() in ("true", "false")
        if kind == "measurands":
            allowed = self._keys["SupportedMeasurands"].value.split(",")
            return all(measurand.strip() in allowed for measurand in value.split(",") if measurand)
        if kind == "secret":
            return 32 <= len(value) <= 40 and len(value) % 2 == 0 and all(sign in hexdigits for sign in value)
        return True


def station_configuration(
    model: Model, *, connectors: int, lines: tuple[int, ...], sample_interval_s: float
) -> Configuration:
    """Make the keys of a station as it leaves the factory."""
    measurands = ",".join(MEASURANDS if model.measures else ("Current.Offered",))
    rotation = "".join("RST"[line] for line in lines) if len(lines) == 3 else "NotApplicable"
    profiles = ["Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "RemoteTrigger"]
    keys = {name: Key(value, writable) for name, (value, writable) in FACTORY.items()}
    keys |= {
        "SupportedFeatureProfiles": Key(",".join([*profiles, "SmartCharging"] if model.purposes else profiles)),
        "NumberOfConnectors": Key(str(connectors)),
        "ConnectorPhaseRotation": Key(",".join(f"{n}.{rotation}" for n in range(connectors + 1)), "text"),
        "MeterValueSampleInterval": Key(f"{sample_interval_s:g}", "int"),
        "MeterValuesSampledData": Key(measurands, "measurands"),
        "MeterValuesSampledDataMaxLength": Key(str(len(MEASURANDS))),
        "SupportedMeasurands": Key(measurands),
    }
    if model.purposes:
        words = {"A": "Current", "W": "Power"}
        keys |= {
            "ChargeProfileMaxStackLevel": Key(str(model.top_stack_level)),
            "ChargingScheduleAllowedChargingRateUnit": Key(",".join(words[unit] for unit in model.units)),
            "ChargingScheduleMaxPeriods": Key(str(model.largest_schedule)),
            "MaxChargingProfilesInstalled": Key("10"),
            "ConnectorSwitch3to1PhaseSupported": Key("false"),
        }
    return Configuration(keys)
