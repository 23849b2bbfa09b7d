"""Which limits hold at a moment besides fuse, fixed current and circuits: of the time table, and from outside."""

import zoneinfo
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from energy.allocation import Reason, ReasonCode
from energy.models import ExternalLimit, Installation, Mode, TimeTableRow
from energy.reasons import explain
from energy.time_table import Row, limit_at, next_change


@dataclass(frozen=True, slots=True)
class LimitInForce:
    """What holds now, A per line, and why; `until` None: no end of it is known."""

    cause: ReasonCode
    limit_a: float
    until: datetime | None = None

    @property
    def reason(self) -> Reason:
        """Say it in the controller's words."""
        limit_a = int(self.limit_a) if self.limit_a == int(self.limit_a) else round(self.limit_a, 1)
        until = {} if self.until is None else {"until": self.until.isoformat(timespec="minutes")}
        return Reason(self.cause, {"limit_a": limit_a, **until})

    @property
    def words(self) -> str:
        """Say it in the visitor's language."""
        return explain(self.reason.code, self.reason.params)


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """The limits of a moment: of the time table, for the installation and circuits (by primary key); from outside."""

    table: LimitInForce | None = None
    circuits: Mapping[int, LimitInForce] = field(default_factory=dict)
    external: LimitInForce | None = None

    def lowest(self, mode: str, otherwise_a: float) -> LimitInForce | None:
        """Return what holds all stations together below `otherwise_a`; None: nothing does.

        The time table does so where a fixed current is shared: else it is the whole installation that it limits.
        """
        found = [self.external, self.table if mode == Mode.STATIC else None]
        lower = [limit for limit in found if limit is not None and limit.limit_a < otherwise_a]
        return min(lower, key=lambda limit: limit.limit_a, default=None)


def limits_in_force(installation: Installation, now: datetime) -> LimitsInForce:
    """Look up what holds at a moment; two queries."""
    local = now.astimezone(zone_of(installation))
    rows: defaultdict[int | None, list[Row]] = defaultdict(list)
    for row in TimeTableRow.objects.all():
        rows[row.circuit_id].append(row.row)
    table = {circuit_id: found for circuit_id, given in rows.items() if (found := _of_table(given, local))}
    whole = table.pop(None, None)
    circuits = {circuit_id: found for circuit_id, found in table.items() if circuit_id is not None}
    return LimitsInForce(whole, circuits, external_in_force(ExternalLimit.get_solo(), now))


def external_in_force(given: ExternalLimit, now: datetime) -> LimitInForce | None:
    """Tell what holds by the word from outside, be it that it has run out; None: nothing."""
    limit_a = given.in_force_a(now)
    if limit_a is None:
        return None
    if given.has_run_out(now):
        return LimitInForce(ReasonCode.EXTERNAL_FALLBACK, limit_a)
    return LimitInForce(ReasonCode.EXTERNAL_LIMIT, limit_a, given.valid_until)


def zone_of(installation: Installation) -> zoneinfo.ZoneInfo:
    """Return the installation's time zone; UTC while it is unknown."""
    try:
        return zoneinfo.ZoneInfo(installation.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def _of_table(rows: list[Row], moment: datetime) -> LimitInForce | None:
    limit_a = limit_at(rows, moment)
    if limit_a is None:
        return None
    return LimitInForce(ReasonCode.TIME_TABLE, limit_a, next_change(rows, moment))
