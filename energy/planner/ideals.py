"""Say what could be had at the very best, to hold a day against it.

`most_wh` knows the whole day before it begins: no way to share can serve more. `evenly_wh` shares max-min at every
moment, at once and to the last ampere, and gives any current down to 0: nobody who is fair and cannot see ahead does
better.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from energy.allocation import Demand, allocate

from .day import DAY_S, VOLTAGE, Building, Plan, Session, wiring_of
from .garage import wanted_a

BIN_S = 900
MOMENT_S = 10


def to_wh(ampere_seconds: float) -> float:
    """Return the energy of a current on one phase."""
    return ampere_seconds * VOLTAGE / 3600


def served_wh(sessions: Sequence[Session], got_as: Sequence[float]) -> float:
    """Return the energy of all sessions together."""
    return to_wh(sum(session.phases * got for session, got in zip(sessions, got_as, strict=True)))


def most_wh(plan: Plan, sessions: Sequence[Session]) -> float:
    """Return an upper bound of the energy that any planner could serve.

    Each line by itself is a flow from its cars through the quarter hours they are there to what the building leaves;
    the greatest flow is the bound. It lets the phases of one car go their own ways, which no car can: so it is an upper
    bound, not a plan.
    """
    building = Building(plan)
    bins = [building.mean(start_s, start_s + BIN_S) for start_s in range(0, DAY_S, BIN_S)]
    most_as = 0.0
    for line in range(3):
        room_as = [max(0.0, plan.usable_a - mean[line]) * BIN_S for mean in bins]
        on_line = [one for one in sessions if line in wiring_of(one.station)[: one.phases]]
        most_as += _greatest_flow(on_line, room_as)
    return to_wh(most_as)


def _greatest_flow(sessions: Sequence[Session], room_as: Sequence[float]) -> float:
    """Return the most A·s that fit: augmenting paths over sessions and quarter hours, shortest first."""
    first_bin = len(sessions)
    left = [one.wanted_as for one in sessions]
    room = list(room_as)
    forth: list[dict[int, float]] = []
    back: list[dict[int, float]] = [{} for _ in room]
    for one in sessions:
        stay = range(one.arrives_s // BIN_S, min(len(room), -(-one.leaves_s // BIN_S)))
        forth.append({number: one.maximum_a * _overlap_s(one, number) for number in stay})
    flow = 0.0
    for source in range(len(sessions)):
        while left[source] > 1e-6:
            path = _path(source, forth, back, room, first_bin)
            if path is None:
                break
            pushed = min(left[source], room[path[-1] - first_bin], *_capacities(path, forth, back, first_bin))
            for here, there in pairwise(path):
                _push(here, there, pushed, forth, back, first_bin)
            left[source] -= pushed
            room[path[-1] - first_bin] -= pushed
            flow += pushed
    return flow


def _overlap_s(session: Session, number: int) -> float:
    return min(session.leaves_s, (number + 1) * BIN_S) - max(session.arrives_s, number * BIN_S)


def _path(
    source: int, forth: list[dict[int, float]], back: list[dict[int, float]], room: list[float], first_bin: int
) -> list[int] | None:
    """Find a way from a session to a quarter hour with room, over what others could give up; None: there is none."""
    came_from = {source: source}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        steps = forth[here] if here < first_bin else back[here - first_bin]
        for step, capacity in steps.items():
            there = step + first_bin if here < first_bin else step
            if capacity <= 1e-6 or there in came_from:
                continue
            came_from[there] = here
            if there >= first_bin and room[there - first_bin] > 1e-6:
                path = [there]
                while path[-1] != source:
                    path.append(came_from[path[-1]])
                return path[::-1]
            queue.append(there)
    return None


def _capacities(
    path: list[int], forth: list[dict[int, float]], back: list[dict[int, float]], first_bin: int
) -> list[float]:
    return [
        forth[here][there - first_bin] if here < first_bin else back[here - first_bin][there]
        for here, there in pairwise(path)
    ]


def _push(
    here: int, there: int, pushed: float, forth: list[dict[int, float]], back: list[dict[int, float]], first_bin: int
) -> None:
    if here < first_bin:
        forth[here][there - first_bin] -= pushed
        back[there - first_bin][here] = back[there - first_bin].get(here, 0.0) + pushed
    else:
        back[here - first_bin][there] -= pushed
        forth[there][here - first_bin] += pushed


def evenly_wh(plan: Plan, sessions: Sequence[Session]) -> float:
    """Return the energy of ideal max-min sharing: no minimum, no delay, no margin, every wish known."""
    building = Building(plan)
    got_as = [0.0] * len(sessions)
    for start_s in range(0, DAY_S, MOMENT_S):
        demands = [
            Demand(number, wiring_of(one.station)[: one.phases], 0.0, wanted_a(one, got_as[number]))
            for number, one in enumerate(sessions)
            if one.arrives_s <= start_s < one.leaves_s and got_as[number] < one.wanted_as
        ]
        if not demands:
            continue
        first, second, third = (plan.usable_a - mean for mean in building.mean(start_s, start_s + MOMENT_S))
        for number, current_a in allocate((first, second, third), demands).items():
            assert isinstance(number, int)
            got_as[number] = min(sessions[number].wanted_as, got_as[number] + current_a * MOMENT_S)
    return served_wh(sessions, got_as)
