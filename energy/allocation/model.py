"""State the vocabulary of sharing: what goes into a decision and what comes out.

Everything is frozen and plain, so that a planner, a replay, a bench and the tests drive the same objects as
the installation does. Currents are amperes per phase, times are seconds on the caller's clock.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite

LONGEST_BLIND_S = 60.0
"""s without a usable reading of the meter after which no setting may delay the fail-safe current."""

Lines = tuple[float, float, float]
"""One figure for each line of the installation: L1, L2, L3."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Say what one connector could use now."""

    key: Hashable
    lines: tuple[int, ...]
    """Installation lines (0-2) its phases load after phase rotation; a set: (2, 0, 1) equals (0, 1, 2)."""
    minimum: float
    """A per phase; less means 0."""
    maximum: float
    """A per phase; NaN or below the minimum means 0."""
    priority: int = 0
    """Higher is served first when not all can have their minimum."""
    waiting_since: float = 0.0
    """Smaller is served first among equals."""
    circuit: str | None = None
    """The innermost circuit it hangs on; None: the installation itself."""
    loads: tuple[int, ...] | None = None
    """Those of its lines that it is seen to load, where balance between lines counts; None: all."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """Limit what everything below one fuse or cable may draw together."""

    name: str
    limit: tuple[float, float, float]
    """A on L1, L2, L3; negative or NaN is 0, infinite is no limit."""
    parent: str | None = None
    """The circuit that feeds it; None: the installation itself."""


class ReasonCode(StrEnum):
    """Name why a connector has the current it has. The values are stored and sent to screens: never change one."""

    LINE_FULL = "line_full"
    CIRCUIT_FULL = "circuit_full"
    STATIC_LIMIT = "static_limit"
    STATION_MAXIMUM = "station_maximum"
    CAR_TAKES_NO_MORE = "car_takes_no_more"
    OPERATOR_PROFILE = "operator_profile"
    WIRING_CHECK = "wiring_check"
    WAITING = "waiting"
    RAMPING = "ramping"
    STARTING = "starting"
    METER_OLD = "meter_old"
    METER_SILENT = "meter_silent"
    NOT_CHARGING = "not_charging"
    PAUSED = "paused"
    FAILED = "failed"
    DISCONNECTED = "disconnected"
    FOLLOWING = "following"
    IGNORES_LIMIT = "ignores_limit"
    TIME_TABLE = "time_table"
    EXTERNAL_LIMIT = "external_limit"
    EXTERNAL_FALLBACK = "external_fallback"
    SOLAR_SURPLUS = "solar_surplus"
    WAITING_SURPLUS = "waiting_surplus"
    UNBALANCE = "unbalance"


REASON_TEXTS: Mapping[ReasonCode, str] = {
    ReasonCode.LINE_FULL: "%(line)s fuse shared by %(shared_by)s",
    ReasonCode.CIRCUIT_FULL: "%(line)s of circuit %(circuit)s shared by %(shared_by)s",
    ReasonCode.STATIC_LIMIT: "static limit on %(line)s shared by %(shared_by)s",
    ReasonCode.STATION_MAXIMUM: "station maximum",
    ReasonCode.CAR_TAKES_NO_MORE: "car takes no more",
    ReasonCode.OPERATOR_PROFILE: "operator profile: at most %(cap_a)s A",
    ReasonCode.WIRING_CHECK: "wiring check: at most %(cap_a)s A",
    ReasonCode.WAITING: "waiting: %(ahead)s ahead",
    ReasonCode.RAMPING: "increase to %(target_a)s A held back",
    ReasonCode.STARTING: "no increase before every station has reported",
    ReasonCode.METER_OLD: "meter reading old: no increase",
    ReasonCode.METER_SILENT: "meter silent: fail-safe current",
    ReasonCode.NOT_CHARGING: "not charging",
    ReasonCode.PAUSED: "paused: stays off for a minute",
    ReasonCode.FAILED: "fault of the load manager: fail-safe current",
    ReasonCode.DISCONNECTED: "disconnected: %(reserved_a)s A reserved",
    ReasonCode.FOLLOWING: "told less, but still draws %(drawn_a)s A",
    ReasonCode.IGNORES_LIMIT: "ignores its limit: draws %(drawn_a)s A",
    ReasonCode.TIME_TABLE: "time table: %(limit_a)s A",
    ReasonCode.EXTERNAL_LIMIT: "limit from outside: %(limit_a)s A",
    ReasonCode.EXTERNAL_FALLBACK: "limit from outside has run out: %(limit_a)s A",
    ReasonCode.SOLAR_SURPLUS: "solar surplus: no more now",
    ReasonCode.WAITING_SURPLUS: "waiting for solar surplus",
    ReasonCode.UNBALANCE: "unbalance: %(line)s %(above_a)s A above %(other)s",
}
"""The English sentence of each code, with the names of its parameters; screens translate these."""


class SurplusRule(StrEnum):
    """Say what cars may have besides what the sun leaves. The values are stored: never change one."""

    MINIMUM = "minimum"
    """Their minimum, from wherever it comes."""
    ONLY = "only"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Say why a connector has its current: a code for programs with the figures that go into its sentence."""

    code: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        return REASON_TEXTS[ReasonCode(self.code)] % self.params


@dataclass(frozen=True, slots=True)
class ConnectorSeen:
    """Tell what is known of one connector at the moment of a decision."""

    key: Hashable
    wiring: tuple[int, ...]
    """Installation line of the station's phase 1, 2, 3; one entry: a single-phase station."""
    minimum: float
    maximum: float
    """A per phase, of the station."""
    charging: bool
    """A car is plugged in, authorised and wants current (OCPP 1.6 Charging, SuspendedEV or SuspendedEVSE)."""
    drawn: tuple[float, float, float] | None
    """A on the station's phases 1-3 as measured; None: this station does not measure."""
    drawn_at: float
    """When that was measured."""
    connected: bool
    """The station can be told something."""
    accepted: float | None
    """Last limit it accepted, A; None: never any."""
    fail_safe: float
    """A it falls back to by itself."""
    priority: int = 0
    cap: float = inf
    """Upper bound from the operator, a time table or a wiring check, A."""
    circuit: str | None = None
    step: float = 0.1
    """The station's own resolution, A."""
    cap_reason: str = ReasonCode.OPERATOR_PROFILE
    """Where the upper bound comes from."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Say that something holds the installation, or a circuit, below what it carries, and what it is."""

    circuit: str | None
    """None: the installation."""
    carries: tuple[float, float, float]
    """A on L1, L2, L3 without it."""
    reason: Reason
    """What is said where it leaves a connector no more."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Gather what was seen at one moment."""

    now: float
    """s, never goes back."""
    limit: tuple[float, float, float]
    """Usable current of the installation, A: the fuse after derating, or less for a time."""
    grid: tuple[float, float, float] | None
    """Meter, A, cars included, + is import; None: no usable reading."""
    grid_at: float
    circuits: tuple[Circuit, ...]
    connectors: tuple[ConnectorSeen, ...]
    cuts: tuple[Cut, ...] = ()
    """What is taken off `limit` and `circuits` already, for a time."""
    surplus: SurplusRule | None = None
    """Cars charge from what the building feeds back, by this rule; None: from whatever the lines leave."""
    unbalance_a: float = inf
    """What charging may draw on a line more than on another one; infinite: no limit."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Set every time (s), current (A) and factor of the controller."""

    beat_s: float = 1
    headroom_window_s: float = 3
    """The headroom shown is the smallest of this window."""
    no_increase_s: float = 3
    """Age of the meter's reading from which nothing is raised."""
    stale_meter_s: float = 10
    """Age of the meter's reading from which every station goes to its fail-safe current."""
    frozen_s: float = 60
    """Time after which a reading that never moves, while stations' own readings do, counts as none."""
    ramp_hold_s: float = 10
    """Headroom must have stayed this long before it is given, and a station is not raised sooner after a change."""
    settle_s: float = 30
    """Corrections smaller than `min_increase_a` wait until nothing changed for this long."""
    min_increase_a: float = 1
    admission_hold_s: float = 60
    """A waiting car is admitted on the smallest headroom of this window; from its second stop on, each doubles it."""
    admission_factor: float = 1.2
    """Times its minimum: the headroom a waiting car needs where the building moves."""
    minimum_on_s: float = 300
    minimum_off_s: float = 60
    rotation_s: float = 900
    """Places rotate this often; the window of `admission_hold_s` grows no longer than this."""
    free_after_s: float = 6
    """A station has followed a limit at the latest this long after accepting it (IEC 61851-1: 5 s)."""
    obey_s: float = 15
    """A station that still draws more than its limit + `obey_margin_a` this long after accepting ignores it."""
    obey_margin_a: float = 1
    steady_s: float = 8
    demand_margin_a: float = 2
    probe_s: float = 60
    idle_after_s: float = 300
    """A car that was offered current this long and took none has only what nobody else can use."""
    idle_probe_s: float = 1800
    """How long such a car may be offered nothing before it is tried again, for `probe_s`."""
    phase_idle_s: float = 30
    surplus_start_s: float = 180
    """Surplus must have been enough for its minimum this long before a car is started on it."""
    surplus_stop_s: float = 300
    """Surplus must have been too little for its minimum this long before a car is stopped."""
    report_s: float = 60
    """How long a fresh controller waits for stations that were charging to report before it raises anybody."""
    profile_duration_s: float = 60
    """The live limit runs out by itself after this, where the station proved that it then falls back."""
    profile_renew_s: float = 20
    gather_s: float = 0.05
    """Events that come within this time are answered by one decision."""
    reserve_a: float = 0

    def __post_init__(self) -> None:
        """Raise ValueError for what is no time or current, or would switch a protection off."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise ValueError(f"{name}: expected a number, came {value!r}")
            if value < 0 or (value == 0 and name.endswith("_s")):
                raise ValueError(f"{name}: expected more than 0, came {value:g}")
        if not self.no_increase_s <= self.stale_meter_s <= LONGEST_BLIND_S:
            message = f"expected {self.no_increase_s:g} (no_increase_s) to {LONGEST_BLIND_S:g} s"
            raise ValueError(f"stale_meter_s: {message}, came {self.stale_meter_s:g}")
        if self.beat_s > self.stale_meter_s / 2:
            raise ValueError(f"beat_s: expected half of stale_meter_s or less, came {self.beat_s:g}")

    """A kept free on each line where a meter limits."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what should be in force, and why. It holds every connector of the observation."""

    allocations: dict[Hashable, float]
    """A per phase."""
    reasons: dict[Hashable, Reason]
    next_at: float
    """When the controller wants to decide again at the latest."""
    limit: tuple[float, float, float]
    """A left for charging on L1, L2, L3."""
    state: str
    """"operational", "starting", "meter_old" or "fail_safe"."""
