"""Run a day: stations with cars that follow after some seconds, a building, a meter, and whoever decides.

What decides is the installation's own controller, or any object with its `decide`. All state but the day itself is
plain JSON (`dump`, `restore`), so that a long run can be done in pieces.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Protocol

from energy.allocation import ConnectorSeen, Controller, Decision, Observation

from .day import DAY_S, Building, Lines, Plan, Session, wiring_of

MINIMUM_A = 6.0
OVER_A = 0.05
SHOWN_A = 1.0  # above the limit: more than stations measure wrong
TAPER_PART = 0.05  # of what it wanted: near the end a car takes less and less
SLOT_S = 300  # of the curves

Draw = tuple[int, "Post", float, tuple[int, ...]]
"""A car that is there: its station, its post, what it takes in A per phase, and the lines it loads."""


class Decider(Protocol):
    """Decide what every connector may draw, as the controller does."""

    def decide(self, seen: Observation) -> Decision:
        """Say what should be in force at every connector now."""
        ...


@dataclass(slots=True)
class Post:
    """A station with the car at it; times in seconds of the day, currents in A per phase."""

    session: int | None = None
    got_as: float = 0.0
    accepted: float | None = None
    in_force: float = 0.0
    coming: list[list[float]] = field(default_factory=list)
    drawn: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    drawn_at: float = -1.0
    is_drawing: bool = False
    waits_since: float | None = None


@dataclass(slots=True)
class Tally:
    """What a day came to, as far as it has run."""

    got_as: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    longest_over_s: float = 0.0
    over_as: float = 0.0
    commanded_excess_as: float = 0.0
    peak_a: float = 0.0
    building: list[list[float]] = field(default_factory=list)
    charging: list[list[float]] = field(default_factory=list)


class Garage:
    """Hold the simulated garage at one moment of its day."""

    def __init__(
        self,
        plan: Plan,
        sessions: Sequence[Session],
        decider: Decider,
        *,
        beat_s: float = 1.0,
        step_s: float = 0.5,
        follow_s: float = 2.0,
        report_s: float = 5.0,
        end_s: float = DAY_S,
    ) -> None:
        """Decide each `beat_s`, move the world each `step_s`; stations report their draw each `report_s`."""
        self.plan, self.sessions, self.decider = plan, sessions, decider
        self.beat_s, self.step_s, self.follow_s, self.report_s, self.end_s = beat_s, step_s, follow_s, report_s, end_s
        self.building = Building(plan)
        self.usable = plan.usable_a
        self.posts = [Post() for _ in range(plan.stations)]
        self.next_of = _by_station(sessions, plan.stations)
        self.lines_of = [wiring_of(session.station)[: session.phases] for session in sessions]
        self.views: list[ConnectorSeen | None] = [None] * plan.stations
        self.moves_at = 0.0
        self.tally = Tally([0.0] * len(sessions), [0] * len(sessions), [0.0] * len(sessions))
        self.now = 0.0
        self.over_since: list[float | None] = [None, None, None]

    def dump(self) -> dict[str, Any]:
        """Return all state as plain JSON values; the decider must be the controller."""
        assert isinstance(self.decider, Controller)
        return {
            "now": self.now,
            "controller": self.decider.dump(),
            "posts": [asdict(post) for post in self.posts],
            "tally": asdict(self.tally),
            "over_since": self.over_since,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the garage of the same plan whose `dump` this is stopped."""
        assert isinstance(self.decider, Controller)
        self.decider.restore(state["controller"])
        self.now, self.over_since = state["now"], list(state["over_since"])
        self.posts = [Post(**post) for post in state["posts"]]
        self.tally = Tally(**state["tally"])
        self.moves_at = self.now
        for coming in self.next_of:
            coming[:] = [number for number in coming if self.sessions[number].arrives_s > self.now - self.step_s]

    @property
    def is_over(self) -> bool:
        """Say whether the day has ended."""
        return self.now >= self.end_s

    def run(self, until_s: float) -> None:
        """Let time pass."""
        beat_every = round(self.beat_s / self.step_s)
        while self.now < min(until_s, self.end_s):
            building = self.building.at(int(self.now))
            if self.now >= self.moves_at:
                self._come_and_go()
            draws = self._draw()
            self._watch(building, draws)
            if round(self.now / self.step_s) % beat_every == 0:
                self._decide(building, draws)
            self.now += self.step_s
        if self.is_over:
            for post in self.posts:
                self._stop_waiting(post)

    def _come_and_go(self) -> None:
        """Let cars leave and come that do so by now, and note when the next one does."""
        self.moves_at = inf
        for station, post in enumerate(self.posts):
            if post.session is not None and self.sessions[post.session].leaves_s <= self.now:
                self._stop_waiting(post)
                self.posts[station] = post = Post()
            waiting = self.next_of[station]
            if waiting and post.session is None and self.sessions[waiting[0]].arrives_s <= self.now:
                post.session = waiting.pop(0)
            if post.session is not None:
                self.moves_at = min(self.moves_at, self.sessions[post.session].leaves_s)
            elif waiting:
                self.moves_at = min(self.moves_at, self.sessions[waiting[0]].arrives_s)

    def _draw(self) -> list[Draw]:
        """Let cars take what is in force, and stations report."""
        draws: list[Draw] = []
        for station, post in enumerate(self.posts):
            if post.session is None:
                continue
            while post.coming and post.coming[0][0] <= self.now:
                post.in_force = post.coming.pop(0)[1]
            session = self.sessions[post.session]
            current_a = min(wanted_a(session, post.got_as), post.in_force) if post.in_force >= MINIMUM_A else 0.0
            self.tally.starts[post.session] += bool(current_a and not post.is_drawing)
            post.is_drawing = current_a > 0
            post.got_as += current_a * self.step_s
            self.tally.got_as[post.session] = post.got_as
            if self.now >= post.drawn_at + self.report_s or post.drawn_at < 0:
                post.drawn = [current_a if phase < session.phases else 0.0 for phase in range(3)]
                post.drawn_at = self.now
            draws.append((station, post, current_a, self.lines_of[post.session]))
        return draws

    def _watch(self, building: Lines, draws: list[Draw]) -> None:
        """Note the peak, how long a line was over, and the curves."""
        charging = [0.0, 0.0, 0.0]
        for _station, _post, current_a, lines in draws:
            for line in lines:
                charging[line] += current_a
        slot = int(self.now // SLOT_S)
        if slot == len(self.tally.building):
            self.tally.building.append([0.0, 0.0, 0.0])
            self.tally.charging.append([0.0, 0.0, 0.0])
        part = self.step_s / SLOT_S
        for line in range(3):
            self.tally.building[slot][line] += building[line] * part
            self.tally.charging[slot][line] += charging[line] * part
            flow = building[line] + charging[line]
            self.tally.peak_a = max(self.tally.peak_a, flow)
            over_a = min(flow - self.usable, charging[line])
            if over_a > OVER_A:
                since = self.over_since[line]
                since = self.over_since[line] = self.now if since is None else since
                self.tally.over_as += over_a * self.step_s
                self.tally.longest_over_s = max(self.tally.longest_over_s, self.now + self.step_s - since)
            else:
                self.over_since[line] = None

    def _decide(self, building: Lines, draws: list[Draw]) -> None:
        """Let the decider see the garage, and the stations take in its answer."""
        grid = list(building)
        for _station, _post, current_a, lines in draws:
            for line in lines:
                grid[line] += current_a
        limit = (self.usable, self.usable, self.usable)
        connectors = tuple(self._seen(station, post) for station, post in enumerate(self.posts))
        seen = Observation(self.now, limit, (grid[0], grid[1], grid[2]), self.now, (), connectors)
        decision = self.decider.decide(seen)
        raised = [False, False, False]
        for station, post, _current_a, lines in draws:
            if self._take(post, decision.allocations[station]):
                for line in lines:
                    raised[line] = True
        if any(raised) or max(grid) > self.usable + SHOWN_A:
            self._judge(building, grid, draws, raised)

    def _take(self, post: Post, limit_a: float) -> bool:
        """Let a station take in its limit; return whether that raises it."""
        number = post.session
        assert number is not None
        session, before = self.sessions[number], post.accepted or 0.0
        if limit_a != post.accepted:
            post.accepted = limit_a
            post.coming.append([self.now + self.follow_s, limit_a])
        if limit_a or post.got_as >= session.wanted_as:
            self._stop_waiting(post)
        elif post.waits_since is None:
            post.waits_since = self.now
        return limit_a > before

    def _stop_waiting(self, post: Post) -> None:
        if post.session is not None and post.waits_since is not None:
            waited_s = self.now - post.waits_since
            self.tally.waited_s[post.session] = max(self.tally.waited_s[post.session], waited_s)
        post.waits_since = None

    def _judge(self, building: Lines, grid: list[float], draws: list[Draw], raised: list[bool]) -> None:
        """Add up what was commanded above what the building leaves.

        On a line where somebody was raised just now, what is told and what may still be drawn must fit; on a line that
        the meter shows over the limit, what is told must, unless a decrease on its way explains it. (A building that
        moves in the very seconds in which cars follow can be told from them only after that.)
        """
        told, claims = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        is_falling = [False, False, False]
        for _station, post, current_a, lines in draws:
            assert post.session is not None
            most_a = wanted_a(self.sessions[post.session], post.got_as)
            claim = max([current_a, post.accepted or 0.0, *(min(limit_a, most_a) for _at, limit_a in post.coming)])
            for line in lines:
                told[line] += post.accepted or 0.0
                claims[line] += claim
                is_falling[line] |= current_a > (post.accepted or 0.0)
        for line in range(3):
            commanded = claims[line] if raised[line] else told[line]
            excess_a = commanded - max(0.0, self.usable - building[line])
            is_shown = grid[line] > self.usable + SHOWN_A and not is_falling[line]
            if excess_a > OVER_A and (raised[line] or is_shown):
                self.tally.commanded_excess_as += excess_a * self.beat_s

    def _seen(self, station: int, post: Post) -> ConnectorSeen:
        """Return what is known of a station; the same as before until it reports, is told or has another car."""
        kept, is_taken, drawn_at = self.views[station], post.session is not None, max(0.0, post.drawn_at)
        if kept and (kept.charging, kept.drawn_at, kept.accepted) == (is_taken, drawn_at, post.accepted):
            return kept
        view = self.views[station] = ConnectorSeen(
            station, wiring_of(station), MINIMUM_A, self.plan.station_maximum_a, is_taken,
            (post.drawn[0], post.drawn[1], post.drawn[2]), drawn_at, True, post.accepted, 0.0,
        )  # fmt: skip
        return view


def wanted_a(session: Session, got_as: float) -> float:
    """Return what a car would take now, A per phase: less and less near its end, then nothing."""
    left = session.wanted_as - got_as
    if left <= 0:
        return 0.0
    taper_as = session.wanted_as * TAPER_PART
    return session.maximum_a if left >= taper_as else max(MINIMUM_A, session.maximum_a * left / taper_as)


def _by_station(sessions: Sequence[Session], stations: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(stations)]
    for number in sorted(range(len(sessions)), key=lambda number: sessions[number].arrives_s):
        found[sessions[number].station].append(number)
    return found
