"""What real stations send → what we store; pure (OCPP 1.6 §6, §7; `docs/ocpp.md` lists what is forgiven).

Every reader takes the payload as it came and the time of receipt (aware UTC), and returns a frozen record. What cannot
be understood at all raises OcppError; everything else is read as well as it can be, and `flags` name what was amiss.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from stations.ocpp16.frames import OcppError

NOMINAL_V = 230.0
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE_TOLERANCE = timedelta(minutes=5)
LARGEST_WH = 2**62
LARGEST = {
    "Current.Import": 1000.0,
    "Current.Offered": 1000.0,
    "Voltage": 1000.0,
    "Power.Active.Import": 1e6,
    "SoC": 100.0,
}
KILO_UNITS = {"Power.Active.Import": "kw", "Energy.Active.Import.Register": "kwh"}
PHASES = {f"L{number}{to}": number - 1 for number in (1, 2, 3) for to in ("", "-N")}
DEEPEST = 20
LARGEST_TRANSACTION = 2**31 - 1  # numbers are minted as int32
MOST_KEPT, MOST_FIELDS = 16_384, 50  # characters; fields of what is longer
MOST_AT_A_TIME = 500

CLOCK_FLAG = "clock"
METER_FLAG = "meter"


@dataclass(frozen=True, slots=True)
class Boot:
    """Who a station says it is."""

    vendor: str
    model: str
    serial_number: str
    firmware_version: str


@dataclass(frozen=True, slots=True)
class Status:
    """A connector's state; connector 0 is the station itself."""

    connector: int
    status: str
    error_code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """A StartTransaction."""

    connector: int
    id_tag: str
    meter_wh: int
    at: datetime
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured at one moment; None: not said. Currents per phase of the station."""

    at: datetime
    context: str = ""
    energy_wh: int | None = None
    power_w: float | None = None
    currents_a: tuple[float | None, float | None, float | None] = (None, None, None)
    voltages_v: tuple[float | None, float | None, float | None] = (None, None, None)
    offered_a: float | None = None
    soc_percent: float | None = None

    @property
    def has_currents(self) -> bool:
        """Say whether any phase was measured."""
        return any(current is not None for current in self.currents_a)


@dataclass(frozen=True, slots=True)
class Stop:
    """A StopTransaction; `meter_wh` None: the station did not say. `sent`: as it came, for an operator."""

    transaction_id: int | None
    id_tag: str
    meter_wh: int | None
    at: datetime
    reason: str
    samples: tuple[Sample, ...] = ()
    flags: tuple[str, ...] = ()
    sent: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MeterValues:
    """Samples of one connector; `sent` is the message as it came, where an operator may have to be told of it."""

    connector: int
    transaction_id: int | None
    samples: tuple[Sample, ...] = field(default_factory=tuple)
    sent: Mapping[str, Any] | None = None


def read_boot(payload: Mapping[str, Any]) -> Boot:
    """Read a BootNotification (§6.3)."""
    serial = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    return Boot(
        vendor=text(payload.get("chargePointVendor"), 100),
        model=text(payload.get("chargePointModel"), 100),
        serial_number=text(serial, 100),
        firmware_version=text(payload.get("firmwareVersion"), 100),
    )


def read_status(payload: Mapping[str, Any], received_at: datetime) -> Status:
    """Read a StatusNotification (§6.47)."""
    status = text(payload.get("status"), 20)
    if not status:
        raise OcppError("OccurenceConstraintViolation", "StatusNotification needs a status")
    at, _flag = moment(payload.get("timestamp"), received_at)
    error = text(payload.get("errorCode"), 50)
    details = [text(payload.get(key), 50) for key in ("vendorErrorCode", "info")]
    error_code = " ".join(part for part in [error, *details] if part and part != "NoError")
    return Status(connector=connector_number(payload, default=0), status=status, error_code=error_code[:100], at=at)


def read_start(payload: Mapping[str, Any], received_at: datetime) -> Start:
    """Read a StartTransaction (§6.45)."""
    at, is_flagged = moment(payload.get("timestamp"), received_at)
    meter_wh = watt_hours(payload.get("meterStart"))
    flags = [CLOCK_FLAG] if is_flagged else []
    if meter_wh is None:
        flags.append(METER_FLAG)
    return Start(
        connector=max(1, connector_number(payload, default=1)),
        id_tag=text(payload.get("idTag"), 255),
        meter_wh=meter_wh or 0,
        at=at,
        flags=tuple(flags),
    )


def read_stop(payload: Mapping[str, Any], received_at: datetime) -> Stop:
    """Read a StopTransaction (§6.49)."""
    at, is_flagged = moment(payload.get("timestamp"), received_at)
    meter_wh = watt_hours(payload.get("meterStop"))
    flags = [CLOCK_FLAG] if is_flagged else []
    if meter_wh is None:
        flags.append(METER_FLAG)
    return Stop(
        transaction_id=transaction_number(payload),
        id_tag=text(payload.get("idTag"), 255),
        meter_wh=meter_wh,
        at=at,
        reason=text(payload.get("reason"), 50) or "Local",
        samples=samples(payload.get("transactionData"), received_at),
        flags=tuple(flags),
    )


def read_meter_values(payload: Mapping[str, Any], received_at: datetime) -> MeterValues:
    """Read a MeterValues (§6.31)."""
    return MeterValues(
        connector=connector_number(payload, default=0),
        transaction_id=transaction_number(payload),
        samples=samples(payload.get("meterValue"), received_at),
    )


def portions(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Cut a MeterValues into some of at most 500 measurements, so that a long one holds up nobody else."""
    portion: list[Mapping[str, Any]] = []
    size = 0
    for entry in _mappings(payload.get("meterValue")):
        values = _mappings(entry.get("sampledValue"))
        for start in range(0, len(values), MOST_AT_A_TIME):
            part = values[start : start + MOST_AT_A_TIME]
            if size + len(part) > MOST_AT_A_TIME:
                yield {**payload, "meterValue": portion}
                portion, size = [], 0
            portion.append({**entry, "sampledValue": part})
            size += len(part)
    yield {**payload, "meterValue": portion}


def samples(meter_values: Any, received_at: datetime) -> tuple[Sample, ...]:
    """Read a list of MeterValue (§7.33); parts with the same time and context become one sample, in order of time."""
    found: dict[tuple[datetime, str], list[Mapping[str, Any]]] = {}
    for entry in _mappings(meter_values):
        at, _flag = moment(entry.get("timestamp"), received_at)
        for value in _mappings(entry.get("sampledValue")):
            context = text(value.get("context"), 30) or "Sample.Periodic"
            found.setdefault((at, context), []).append(value)
    return tuple(_sample(at, context, values) for (at, context), values in sorted(found.items()))


def _sample(at: datetime, context: str, values: Iterable[Mapping[str, Any]]) -> Sample:
    """Read the SampledValues (§7.43) of one moment."""
    per_phase: dict[str, dict[int, float]] = {"Current.Import": {}, "Voltage": {}, "Power.Active.Import": {}}
    totals: dict[str, float] = {}
    for value in values:
        amount = number(value.get("value"))
        measurand = text(value.get("measurand"), 50) or "Energy.Active.Import.Register"
        if amount is None:
            continue
        phase = _phase(value.get("phase"))
        is_kilo = measurand in KILO_UNITS and text(value.get("unit"), 20).lower() == KILO_UNITS[measurand]
        amount *= 1000.0 if is_kilo else 1.0
        if abs(amount) > LARGEST.get(measurand, LARGEST_WH):
            continue
        if measurand in per_phase and phase is not None:
            per_phase[measurand][phase] = amount
        elif phase is None and not text(value.get("phase"), 10):
            totals[measurand] = amount
    return Sample(
        at=at,
        context=context,
        energy_wh=watt_hours(totals.get("Energy.Active.Import.Register")),
        power_w=totals.get("Power.Active.Import", sum(per_phase["Power.Active.Import"].values()) or None),
        currents_a=_currents(per_phase, totals),
        voltages_v=_three(per_phase["Voltage"]),
        offered_a=_not_negative(totals.get("Current.Offered")),
        soc_percent=_not_negative(totals.get("SoC")),
    )


def _currents(
    per_phase: Mapping[str, Mapping[int, float]], totals: Mapping[str, float]
) -> tuple[float | None, float | None, float | None]:
    """Find the current of each phase: as measured; else from power per phase; else from one value and the power.

    A value without phase beside phases is their sum or maximum, by maker: it is left out. Alone it is one phase's
    current, on three phases alike where the power is about three times what one phase could carry.
    """
    currents, powers = per_phase["Current.Import"], per_phase["Power.Active.Import"]
    if currents:
        if len(currents) == 1 and _is_on_three(max(currents.values()), totals):
            (measured,) = currents.values()
            return (measured, measured, measured)
        return _three({phase: max(0.0, amperes) for phase, amperes in currents.items()})
    if powers:
        volts = per_phase["Voltage"]
        amperes = {phase: max(0.0, w / max(volts.get(phase, NOMINAL_V), 100.0)) for phase, w in powers.items()}
        return _three({phase: value for phase, value in amperes.items() if value <= LARGEST["Current.Import"]})
    total = totals.get("Current.Import")
    if total is None:
        return (None, None, None)
    total = max(0.0, total)
    return (total, total, total) if _is_on_three(total, totals) else (total, None, None)


def _is_on_three(current_a: float, totals: Mapping[str, float]) -> bool:
    """Say whether the power is about three times what one phase could carry at this current."""
    return totals.get("Power.Active.Import", 0.0) > 2.4 * NOMINAL_V * current_a > 0


def _not_negative(amount: float | None) -> float | None:
    return None if amount is None or amount < 0 else amount


def _three(values: Mapping[int, float]) -> tuple[float | None, float | None, float | None]:
    return (values.get(0), values.get(1), values.get(2))


def _phase(raw: Any) -> int | None:
    """Return 0–2 for L1–L3 and L1-N–L3-N; None for anything else (§7.38)."""
    return PHASES.get(raw.strip().upper()) if isinstance(raw, str) else None


def _mappings(raw: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; a lone object counts as a list of one."""
    entries = raw if isinstance(raw, list) else [raw]
    return [entry for entry in entries if isinstance(entry, dict)]


def moment(raw: Any, received_at: datetime) -> tuple[datetime, bool]:
    """Read a time: no zone is UTC; unreadable, before 2020 or over 5 min ahead becomes the time of receipt, flagged."""
    try:
        at = datetime.fromisoformat(raw.strip().upper()) if isinstance(raw, str) else None
        at = at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
        at = at.astimezone(UTC) if at is not None else None
    except (ValueError, OverflowError):
        at = None
    if at is None or at < EARLIEST or at > received_at + FUTURE_TOLERANCE:
        return received_at, True
    return at, False


def text(raw: Any, length: int) -> str:
    """Return a printable string cut to `length`; numbers become their digits, anything else is empty."""
    if isinstance(raw, str):
        return raw.replace("\x00", "").strip()[:length]
    return str(raw)[:length] if isinstance(raw, int | float) and not isinstance(raw, bool) else ""


def keepable(raw: Mapping[str, Any], most: int = MOST_KEPT) -> dict[str, Any]:
    """Return a payload as any database keeps it: without NUL characters, not too deep, and of a long one the outline.

    The outline of one of more than `most` characters is its short fields, and a digest that tells it from others.
    """
    kept: dict[str, Any] = _keepable(dict(raw), DEEPEST)
    written = json.dumps(kept)
    if len(written) <= most:
        return kept
    short = ((key, value) for key, value in kept.items() if not isinstance(value, dict | list) and len(str(value)) < 99)
    return {**dict(islice(short, MOST_FIELDS)), "…": hashlib.sha256(written.encode()).hexdigest()}


def _keepable(raw: Any, deepest: int) -> Any:
    if isinstance(raw, str):
        return raw.replace("\x00", "")
    if not isinstance(raw, dict | list):
        return raw
    if deepest == 0:
        return "…"
    if isinstance(raw, list):
        return [_keepable(entry, deepest - 1) for entry in raw]
    return {_keepable(key, 0): _keepable(value, deepest - 1) for key, value in raw.items()}


def number(raw: Any) -> float | None:
    """Return a finite number; decimal commas and surrounding space are understood, None otherwise."""
    try:
        if isinstance(raw, str):
            value = float(raw.replace(",", "."))
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            value = float(raw)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def integer(raw: Any) -> int | None:
    """Return a whole number, None where there is none."""
    value = number(raw)
    return None if value is None or abs(value) > LARGEST_WH else int(value)


def transaction_number(payload: Mapping[str, Any]) -> int | None:
    """Return the number of the transaction that is spoken of; None for what cannot be one of ours."""
    value = integer(payload.get("transactionId"))
    return value if value is not None and 0 < value <= LARGEST_TRANSACTION else None


def watt_hours(raw: Any) -> int | None:
    """Return integer Wh, never negative and never beyond what a register can hold; None where it is neither."""
    value = number(raw)
    return None if value is None or not 0 <= value < LARGEST_WH else round(value)


def connector_number(payload: Mapping[str, Any], *, default: int) -> int:
    """Return the connector, 1000 at most; `default` where the station left it out."""
    value = integer(payload.get("connectorId"))
    return default if value is None or value < 0 else min(value, 1000)
