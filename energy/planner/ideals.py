"""Say what could be had at the very best, to hold a day against it.

`most_wh` knows the whole day before it begins: no way to share can serve more. `evenly_wh` shares max-min at every
moment, at once and to the last ampere, and gives any current down to 0: nobody who is fair and cannot see ahead does
better.
"""

from collections.abc import Iterator, Sequence
from math import inf

from energy.allocation import Demand, allocate

from .day import DAY_S, VOLTAGE, Building, Plan, Session, wiring_of
from .garage import MINIMUM_A, wanted_a

BIN_S = 900
MOMENT_S = 10
PRICE_ROUNDS = 500
PATIENCE = 20


def to_wh(ampere_seconds: float) -> float:
    """Return the energy of a current on one phase."""
    return ampere_seconds * VOLTAGE / 3600


def served_wh(sessions: Sequence[Session], got_as: Sequence[float]) -> float:
    """Return the energy of all sessions together."""
    return to_wh(sum(session.phases * got for session, got in zip(sessions, got_as, strict=True)))


def most_wh(plan: Plan, sessions: Sequence[Session]) -> float:
    """Return an upper bound of the energy that any planner could serve.

    The greatest energy is a linear programme: what each car takes in each quarter hour of its stay, on all its phases
    alike, within what the building leaves on each line. Any price of each line in each quarter hour bounds it from
    above: what the lines are worth, and what the cars gain that buy where it is cheapest (weak duality). The prices are
    moved against what is sold too much or too little until the bound hardly falls. A line that leaves less than a
    car's minimum leaves nothing; but for that, minimums lower no bound, as cars can take turns within a quarter hour.
    """
    building = Building(plan)
    room_as = [left for start_s in range(0, DAY_S, BIN_S) for left in _room_as(plan, building, start_s)]
    return to_wh(min(_bounds([_Buyer(one) for one in sessions], room_as), default=0.0))


def _room_as(plan: Plan, building: Building, start_s: int) -> list[float]:
    """Return what the building leaves on each line in a quarter hour, A·s, while it leaves a car's minimum."""
    room = [0.0, 0.0, 0.0]
    for second in range(start_s, start_s + BIN_S):
        for line, taken_a in enumerate(building.at(second)):
            left_a = plan.usable_a - taken_a
            if left_a >= MINIMUM_A:
                room[line] += left_a
    return room


class _Buyer:
    """Buy for one car what gains it most: A·s per phase in the quarter hours of its stay."""

    def __init__(self, session: Session) -> None:
        self.wanted_as = session.wanted_as
        self.phases = session.phases
        self.offers = []
        """For each quarter hour of its stay: its place on each line, quarter hour * 3 + line, and the most it takes."""
        lines = wiring_of(session.station)[: session.phases]
        for number in range(session.arrives_s // BIN_S, min(DAY_S // BIN_S, -(-session.leaves_s // BIN_S))):
            here_s = min(session.leaves_s, (number + 1) * BIN_S) - max(session.arrives_s, number * BIN_S)
            self.offers.append((tuple(3 * number + line for line in lines), session.maximum_a * here_s))

    def buy(self, prices: Sequence[float], sold_as: list[float]) -> float:
        """Add what it buys to what is sold at each place; return what it gains: A·s on all phases less the price."""
        bids = []
        for places, most_as in self.offers:
            gain = self.phases - sum([prices[place] for place in places])
            if gain > 0:
                bids.append((gain, most_as, places))
        bids.sort(reverse=True)
        left_as, gained = self.wanted_as, 0.0
        for gain, most_as, places in bids:
            bought_as = min(left_as, most_as)
            gained += gain * bought_as
            for place in places:
                sold_as[place] += bought_as
            left_as -= bought_as
            if left_as <= 0:
                break
        return gained


def _bounds(buyers: Sequence[_Buyer], room_as: Sequence[float]) -> Iterator[float]:
    """Yield one bound after the other, A·s: subgradient steps towards a level a little below the lowest."""
    prices = [0.0] * len(room_as)
    lowest, gap, idle = inf, 0.05, 0
    for _ in range(PRICE_ROUNDS):
        sold_as = [0.0] * len(room_as)
        gained = sum(buyer.buy(prices, sold_as) for buyer in buyers)
        bound = gained + sum(price * room for price, room in zip(prices, room_as, strict=True))
        yield bound
        if bound < lowest * (1 - gap / 100):
            lowest, idle = bound, 0
        else:
            idle += 1
            if idle == PATIENCE:
                gap, idle = gap / 2, 0
        lacks_as = [
            sold - room if price > 0 or sold > room else 0.0
            for sold, room, price in zip(sold_as, room_as, prices, strict=True)
        ]
        square = sum(lack * lack for lack in lacks_as)
        if not square:
            return
        step = (bound - lowest * (1 - gap)) / square
        prices = [max(0.0, price + step * lack) for price, lack in zip(prices, lacks_as, strict=True)]


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
