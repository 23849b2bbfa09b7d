"""What holds the installation or a circuit down for a time: say so, and keep to it when the meter is silent too."""

from collections.abc import Hashable, Mapping
from math import inf

from .kernel import Share, share_out
from .model import ConnectorSeen, Demand, Observation, Reason, ReasonCode
from .release import round_up_minimum
from .track import round_down
from .tree import Tree
from .unbalance import loaded_lines, reserve_pairs


def cut_reason(seen: Observation, connector: ConnectorSeen, share: Share) -> Reason | None:
    """Return what is said of a place that is full because of a cut, or too small for this connector; None: no cut."""
    reasons = {cut.circuit: cut.reason for cut in seen.cuts}
    if share.reason.code in (ReasonCode.LINE_FULL, ReasonCode.CIRCUIT_FULL):
        name = share.reason.params.get("circuit")
        return reasons.get(None if name is None else str(name))
    if not reasons or share.reason.code != ReasonCode.WAITING:
        return None
    circuits = {circuit.name: circuit for circuit in seen.circuits}
    place = connector.circuit
    while True:
        limit = seen.limit if place is None else circuits[place].limit
        if place in reasons and min(limit[line] for line in connector.wiring) < connector.minimum:
            return reasons[place]
        if place is None:
            return None
        place = circuits[place].parent


def within_cuts(
    seen: Observation, wanted: Mapping[Hashable, float], reserved: Mapping[Hashable, float]
) -> Mapping[Hashable, float]:
    """Keep fail-safe currents together within a cut of the whole installation and the unbalance limit, A per phase.

    `wanted`: of who charges and can be told; `reserved`: what those keep who cannot. Circuits further in are left to
    the fail-safe currents themselves. No line counts on what another one draws: nobody is heard for long, perhaps.
    """
    top = top_circuit(seen)
    cut = {each.circuit for each in seen.cuts}
    limits = [circuit.limit for circuit in seen.circuits if circuit.name == top and top in cut]
    limits += [seen.limit] if None in cut else []
    if not limits and seen.unbalance_a == inf:
        return wanted
    left = [min((limit[line] for limit in limits), default=inf) for line in range(3)]
    for connector in seen.connectors:
        for line in connector.wiring:
            left[line] -= reserved.get(connector.key, 0.0)
    tree = Tree((left[0], left[1], left[2]), (), seen.unbalance_a)
    for connector in seen.connectors:
        keeps = dict.fromkeys(connector.wiring, reserved.get(connector.key, 0.0))
        reserve_pairs(tree, loaded_lines(connector, connector.wiring), keeps)
    told = [connector for connector in seen.connectors if connector.key in wanted]
    demands = [
        Demand(one.key, one.wiring, round_up_minimum(one), wanted[one.key], one.priority,
               loads=loaded_lines(one, one.wiring))
        for one in told
    ]  # fmt: skip
    given = share_out(tree, demands)
    return {one.key: round_down(given[one.key].current_a, one.step) for one in told}


def top_circuit(seen: Observation) -> str | None:
    """Return the one circuit above all connectors, such as the static current; None: there is none."""
    tops = [circuit.name for circuit in seen.circuits if circuit.parent is None]
    if len(tops) != 1 or any(connector.circuit is None for connector in seen.connectors):
        return None
    return tops[0]
