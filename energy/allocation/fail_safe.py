"""What holds at connectors without a decision: their fail-safe currents, and what stations out of reach keep."""

from collections.abc import Hashable, Mapping

from .cuts import within_cuts
from .model import ConnectorSeen, Decision, Observation, Reason, ReasonCode


def fall_back(seen: Observation) -> Decision:
    """Put every charging connector at its fail-safe current: what holds when a decision could not be made.

    Nobody is told more than it accepted last: what is free is not known.
    """
    allocations: dict[Hashable, float] = {}
    reasons: dict[Hashable, Reason] = {}
    safe = _safe_currents(seen)
    for connector in seen.connectors:
        if connector.charging and connector.connected:
            current = safe[connector.key] if safe[connector.key] >= connector.minimum else 0.0
            allocations[connector.key], reasons[connector.key] = current, Reason(ReasonCode.FAILED)
        else:
            left = left_alone(connector) if not connector.connected else (0.0, Reason(ReasonCode.NOT_CHARGING))
            allocations[connector.key], reasons[connector.key] = left
    return Decision(allocations, reasons, seen.now + 1.0, (0.0, 0.0, 0.0), "fail_safe")


def safe_current(seen: ConnectorSeen) -> float:
    """Return what a connector is told when it must be careful, A per phase, on its own."""
    return min(seen.fail_safe, seen.cap, seen.maximum)


def _safe_currents(seen: Observation) -> Mapping[Hashable, float]:
    """Return the fail-safe current of whoever charges and can be told, or what it has where that is less.

    Together no more than a limit allows.
    """
    charging = [connector for connector in seen.connectors if connector.charging]
    wanted = {one.key: min(safe_current(one), left_alone(one)[0]) for one in charging if one.connected}
    return within_cuts(seen, wanted, {one.key: left_alone(one)[0] for one in charging if not one.connected})


def left_alone(seen: ConnectorSeen) -> tuple[float, Reason]:
    """A station out of reach keeps the last limit it accepted; one that never did, its fail-safe current."""
    reserved = seen.fail_safe if seen.accepted is None else seen.accepted
    return reserved, Reason(ReasonCode.DISCONNECTED, {"reserved_a": reserved})
