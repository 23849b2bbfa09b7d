"""Find out whether each line of the meter moves as the cars on it do: transformers swapped, or the wrong way round.

Between two moments at which it is known what every car draws, each line of the meter must have moved by what the cars
on it moved by. Each order in which the lines could be connected is held against each such move, and so is each line
with its sign turned; what an order explains worse than the best one adds up. A building that moves in the same seconds
contradicts all orders alike, and what one move can say is bounded. So doubt of the order that is entered grows only
where cars are seen on another line again and again, and goes where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from .model import ConnectorSeen, Lines, Observation, Timing
from .track import Track

ORDERS = ((0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1))
"""For each order, the line of the meter on which what is drawn on L1, L2, L3 shows; the first is as it should be."""
EACH_S = 5.0  # between two looks
LONGEST_S = 120.0  # between two moments that are compared: a building drifts
STEP_A = 5.0  # smaller moves of the cars say nothing
NOISE_A = 2.0
NOISE = 0.25  # of the move, where that is more: cars follow within some percent, stations report some seconds late
MOST = 9.0  # what one line can say of one move: as at three times the noise
CERTAIN, CLEARED = 45.0, 25.0  # at least three moves of 18 at most, with none against them
TURNED, RIGHT_AGAIN = 30.0, 12.0  # two moves and more: a turned line is twice as far from a right one as a still one
LEAD = 15.0  # before an order counts as worse than the best
HIGHEST = 80.0
NEAR_A, BELOW_A = 1.0, 3.0  # around its limit, what a car draws is known without a sample since
FEEDS_IN_A = -0.5
KEYS = 8


@dataclass(frozen=True, slots=True)
class LinesFault:
    """What is wrong with the lines of the meter.

    `shifted`: (line the cars are on, line of the meter on which they show). `turned`: lines that fall when cars rise.
    `keys`: the connectors whose cars showed it. `is_certain`: it is the transformers, and no reading counts.
    """

    shifted: tuple[tuple[int, int], ...]
    turned: tuple[int, ...]
    keys: tuple[Any, ...]
    is_certain: bool


class Transformers:
    """Compare what the meter's lines moved by with what the cars on them moved by."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.forget()

    def forget(self) -> None:
        """Begin anew: something was mended."""
        self.looked_at: float | None = None
        self.known_at: float | None = None
        self.grid: Lines = (0.0, 0.0, 0.0)
        self.drawn: dict[Any, tuple[Sequence[int], list[float]]] = {}
        """For each connector its wiring, and what it drew on L1, L2, L3 when all was known last."""
        self.doubts = [0.0] * len(ORDERS)
        """How much worse than the best each order explains the moves."""
        self.turns = [0.0, 0.0, 0.0]
        """How much better each line is explained with its sign turned."""
        self.keys: list[Any] = []
        self.fault: LinesFault | None = None

    def dump(self) -> dict[str, Any]:
        """Return what was found as plain JSON values; the moment to compare with is not worth keeping."""
        has_fault = self.fault is not None
        return {"doubts": self.doubts, "turns": self.turns, "keys": self.keys, "has_fault": has_fault}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.doubts, self.turns, self.keys = list(state["doubts"]), list(state["turns"]), list(state["keys"])
        self.fault = self._found(had_fault=state.get("has_fault", False))

    def update(self, seen: Observation, pairs: Sequence[tuple[ConnectorSeen, Track]]) -> None:
        """Take in an observation; most are passed over, because a look each few seconds is enough."""
        if seen.grid is None or (self.looked_at is not None and 0 <= seen.now - self.looked_at < EACH_S):
            return
        self.looked_at = seen.now
        if not all(map(isfinite, seen.grid)) or not all(_is_known(*pair, self.timing) for pair in pairs):
            return
        drawn: dict[Any, tuple[Sequence[int], list[float]]] = {
            connector.key: (connector.wiring, track.sampled) for connector, track in pairs if connector.connected
        }
        if self.known_at is not None and seen.now - self.known_at <= LONGEST_S:
            cars, movers = self._moved(drawn)
            if movers and max(map(abs, cars)) >= STEP_A:
                self._compare(seen.grid, cars, movers)
        self.known_at, self.grid, self.drawn = seen.now, seen.grid, drawn

    def _moved(self, drawn: dict[Any, tuple[Sequence[int], list[float]]]) -> tuple[list[float], list[Any]]:
        """Add up what the cars on each line moved by since all was known last; with it, who moved much."""
        cars, movers = [0.0, 0.0, 0.0], []
        for key, (wiring, lines) in drawn.items():
            before = self.drawn.get(key)
            if before is not None and before[0] != wiring:
                self.forget()  # another rotation was entered: what was found is about the last one
                return cars, []
            if before is None or before[1] is lines:
                continue
            moves = [now - then for now, then in zip(lines, before[1], strict=True)]
            cars = [sum_a + move for sum_a, move in zip(cars, moves, strict=True)]
            if max(map(abs, moves)) >= STEP_A:
                movers.append(key)
        return cars, movers

    def _compare(self, grid: Lines, cars: list[float], movers: list[Any]) -> None:
        """Hold every order, and every sign, against one move."""
        noise = max(NOISE_A, NOISE * max(map(abs, cars)))
        moved = [now - then for now, then in zip(grid, self.grid, strict=True)]
        losses = [[_loss((seen_a - car_a) / noise) for seen_a in moved] for car_a in cars]
        of_orders = [losses[0][order[0]] + losses[1][order[1]] + losses[2][order[2]] for order in ORDERS]
        doubts = [doubt + loss for doubt, loss in zip(self.doubts, of_orders, strict=True)]
        least = min(doubts)
        self.doubts = [min(doubt - least, HIGHEST) for doubt in doubts]
        is_shown = of_orders[0] - min(of_orders) >= MOST
        for line, car_a in enumerate(cars):
            if abs(car_a) < STEP_A:
                continue
            gain = 2 * (losses[line][line] - _loss((moved[line] + car_a) / noise))
            if gain < 0 or max(grid[line], self.grid[line]) <= FEEDS_IN_A:
                self.turns[line] = min(max(self.turns[line] + gain, -HIGHEST), HIGHEST)
                is_shown |= gain >= MOST
        if is_shown:
            self.keys = [*(key for key in self.keys if key not in movers), *movers][-KEYS:]
        elif not self.doubts[0] and max(self.turns) <= 0:
            self.keys = []
        self.fault = self._found(had_fault=self.fault is not None)

    def _found(self, *, had_fault: bool) -> LinesFault | None:
        """Say what all moves come to; what was found once stays until little speaks for it."""
        if self.doubts[0] >= (CLEARED if had_fault else CERTAIN):
            likely = [order for order, doubt in zip(ORDERS, self.doubts, strict=True) if doubt < LEAD]
            shifted = tuple(
                (line, likely[0][line])
                for line in range(3)
                if likely[0][line] != line and len({order[line] for order in likely}) == 1
            )
            is_certain = len(likely) == 1 and len(self.keys) > 1
            return LinesFault(shifted, (), tuple(self.keys), is_certain) if shifted else None
        enough = RIGHT_AGAIN if had_fault else TURNED
        turned = tuple(line for line, score in enumerate(self.turns) if score >= enough)
        return LinesFault((), turned, tuple(self.keys), is_certain=True) if turned else None


def _is_known(connector: ConnectorSeen, track: Track, timing: Timing) -> bool:
    """Say whether the newest sample of a connector still tells what it draws; one out of reach counts as building."""
    if not connector.connected:
        return True
    most = max(track.sampled)
    if not track.charging:
        return most < NEAR_A
    if track.drawn is None or most > track.told + NEAR_A:
        return False
    return most >= track.told - BELOW_A or track.had_time_to_rise(timing)


def _loss(noises: float) -> float:
    return min(noises * noises, MOST)
