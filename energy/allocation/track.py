"""Remember what one connector was allowed, what it draws and what its car takes."""

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from math import ceil, floor, inf, isfinite
from operator import attrgetter
from typing import Any

from .model import ConnectorSeen, Timing

IDLE_A = 1.0  # a phase below this carries nothing
BUSY_A = 5.0  # a car that draws this on one phase draws on all it has
STEADY_A = 1.0  # samples this close together are the same draw
NEAR_A = 0.5  # this close to its limit, a car is held back by the limit
WILD = 10.0  # a sample above this many times the station's maximum is none
MOVED_A = 0.2  # samples further apart than this show that the load moved


@dataclass(slots=True)
class Track:
    """Hold the memory of one connector; times are None where nothing happened yet."""

    charging: bool = False
    told: float = 0.0
    """A per phase that should be in force."""
    changed_at: float | None = None
    raised_at: float | None = None
    ceiling: float = 0.0
    """A per phase: the largest limit that may still be in force at the station."""
    accepted: float | None = None
    limits: list[tuple[float, float]] = field(default_factory=list)
    """When it accepted which limit, oldest first: those it may still be on the way from, and the newest."""
    ignores: bool = False
    """By its newest sample it draws more than any limit it had the time to follow."""
    drawn: tuple[float, ...] | None = None
    """A on the station's phases by its newest sample."""
    drawn_at: float | None = None
    moved_after: float | None = None
    """The time of the sample after which the draw is known to have moved."""
    estimate: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """A on the installation's lines: the newest sample, moved on by what the meter showed since."""
    sampled: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """A on the installation's lines by the newest sample."""
    fading_a: float = 0.0
    """A per phase that its car, below its limit, took less in the newest sample than in the one before."""
    idle_since: list[float | None] = field(default_factory=lambda: [None, None, None])
    unused: list[bool] = field(default_factory=lambda: [False, False, False])
    """Phases of the station that the car does not use."""
    steady_since: float | None = None
    steady_a: float = 0.0
    takes: float | None = None
    """A per phase: what the car is taken to want at most; None: unknown, as much as it gets."""
    takes_at: float | None = None
    """When that was found or last tried to be more."""
    empty_since: float | None = None
    """Since when it takes nothing of what it is offered; None: it took some when it last was offered any."""
    stops: int = 0
    """How often it was stopped in this session though it took current."""
    on_since: float | None = None
    off_since: float | None = None
    served_s: float = 0.0
    """Time with current in this session, beginning where the least served stood when it came."""
    granted_until: float | None = None
    """A place in a rotation: until then it comes in without waiting for 60 s of headroom."""

    def dump(self) -> dict[str, Any]:
        """Return the memory as plain JSON values."""
        values = zip(_NAMES, _values_of(self), strict=True)
        return {name: value[:] if isinstance(value, list) else value for name, value in values}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> "Track":
        """Build the memory from what `dump` returned."""
        drawn, limits = state["drawn"], [(at, limit_a) for at, limit_a in state["limits"]]
        return cls(**{**state, "drawn": None if drawn is None else tuple(drawn), "limits": limits})

    def lines(self, seen: ConnectorSeen) -> tuple[int, ...]:
        """Return the installation lines its car loads: all that are wired, but those it was seen not to use."""
        if True not in self.unused:
            return seen.wiring
        return tuple(line for line, unused in zip(seen.wiring, self.unused, strict=False) if not unused)

    def in_force(self) -> float:
        """Return the largest current per phase that it may take without another word from us."""
        return self.ceiling if self.ceiling > self.told else self.told

    def tell(self, limit_a: float, now: float) -> None:
        """Note a new limit."""
        if limit_a == self.told:
            return
        if limit_a > self.told:
            self.raised_at = now
        if not self.told:
            self.on_since, self.off_since, self.granted_until = now, None, None
        elif not limit_a:
            self.on_since, self.off_since = None, now
            self.stops += self.empty_since is None
        self.told, self.changed_at = limit_a, now

    def rests(self, now: float, timing: Timing) -> bool:
        """Tell whether its car took nothing for so long that it has only what nobody else can use.

        A full car, or one that waits for its timer. Without an offer it is tried again after `idle_probe_s`.
        """
        if self.empty_since is None or now - self.empty_since < timing.idle_after_s:
            return False
        if self.told:
            return self.on_since is None or now - self.on_since >= timing.probe_s
        return self.off_since is not None and now - self.off_since < timing.idle_probe_s

    def is_new(self, now: float, timing: Timing) -> bool:
        """Tell whether it was told nothing yet in a session so young that its standing limit may not hold yet."""
        return not self.told and self.raised_at is not None and now - self.raised_at < timing.obey_s

    def is_falling(self) -> bool:
        """Tell whether a decrease was sent whose effect may not have been seen yet."""
        return not self.ignores and (self.accepted != self.told or self.ceiling > self.told)

    def is_rising(self, now: float, timing: Timing) -> bool:
        """Tell whether it was raised and no sample can have shown the effect yet."""
        if self.raised_at is None or now - self.raised_at >= timing.obey_s:
            return False
        return not self.had_time_to_rise(timing)

    def had_time_to_rise(self, timing: Timing) -> bool:
        """Tell whether the newest sample was taken when the station had followed its last raise."""
        if self.drawn_at is None:
            return False
        return self.raised_at is None or self.drawn_at >= self.raised_at + timing.free_after_s


_NAMES = tuple(each.name for each in fields(Track))
_values_of = attrgetter(*_NAMES)  # `asdict` takes ten times as long, and a thousand tracks are kept at each change


def sound(seen: ConnectorSeen) -> ConnectorSeen:
    """Return what was seen with the safe value for each figure that is none.

    No minimum, maximum or cap that is a number means 0; no accepted limit, that none is known; no step, 0.1 A.
    """
    total = seen.minimum + seen.maximum + seen.fail_safe + seen.drawn_at + seen.step + (seen.accepted or 0.0)
    if isfinite(total) and seen.step > 0 and seen.cap > -inf:  # NaN fails too
        return seen
    is_usable = isfinite(seen.minimum) and isfinite(seen.maximum)
    return replace(
        seen,
        minimum=seen.minimum if is_usable else 6.0,
        maximum=seen.maximum if is_usable else 0.0,
        fail_safe=seen.fail_safe if isfinite(seen.fail_safe) else 0.0,
        cap=seen.cap if seen.cap > -inf else 0.0,
        accepted=seen.accepted if seen.accepted is not None and isfinite(seen.accepted) else None,
        drawn=seen.drawn if isfinite(seen.drawn_at) else None,
        drawn_at=seen.drawn_at if isfinite(seen.drawn_at) else 0.0,
        step=seen.step if seen.step > 0 and isfinite(seen.step) else 0.1,
    )


def observe(track: Track, seen: ConnectorSeen, now: float, timing: Timing) -> None:
    """Take in what is newly known of a connector."""
    if seen.charging != track.charging:
        if seen.charging:
            _begin_session(track, seen, now)
        else:
            _end_session(track, seen, now)
    if seen.accepted != track.accepted:
        track.accepted = seen.accepted
        if seen.charging and seen.accepted is not None:
            track.limits.append((now, seen.accepted))
    has_sample = seen.drawn is not None and (track.drawn_at is None or seen.drawn_at > track.drawn_at)
    if has_sample:
        _take_sample(track, seen, timing)
    if seen.charging:
        _follow_acceptance(track, now, timing)
        if has_sample:
            is_above = max(track.drawn or (0.0,)) > track.in_force() + timing.obey_margin_a
            track.ignores = is_above and not track.is_new(now, timing)
        if track.takes is not None and track.takes_at is not None and now - track.takes_at >= timing.probe_s:
            track.takes, track.takes_at, track.steady_since = track.takes + timing.demand_margin_a, now, None


def _begin_session(track: Track, seen: ConnectorSeen, now: float) -> None:
    """What is in force now is not known: the standing profile, or what it accepted last."""
    track.charging = True
    track.ceiling = max(seen.accepted or 0.0, seen.fail_safe)
    track.accepted, track.raised_at, track.ignores = seen.accepted, now, False
    track.limits = [(now, track.ceiling), (now, seen.accepted)] if seen.accepted is not None else [(now, track.ceiling)]
    track.told, track.changed_at, track.on_since, track.off_since = 0.0, None, None, None
    track.unused, track.idle_since = [False, False, False], [None, None, None]
    track.takes = track.steady_since = track.empty_since = None
    track.stops = 0


def _end_session(track: Track, seen: ConnectorSeen, now: float) -> None:
    track.charging, track.ceiling, track.ignores = False, 0.0, False
    track.tell(0.0, now)
    if seen.drawn is None:
        track.estimate = [0.0, 0.0, 0.0]


def _take_sample(track: Track, seen: ConnectorSeen, timing: Timing) -> None:
    drawn = seen.drawn
    if drawn is None or not all(abs(value) <= WILD * max(seen.maximum, IDLE_A) for value in drawn):  # NaN fails too
        return
    if track.drawn is not None and any(abs(a - b) >= MOVED_A for a, b in zip(drawn, track.drawn, strict=False)):
        track.moved_after = track.drawn_at
    draw, before = max(drawn), max(track.drawn or (0.0,))
    track.fading_a = min(draw, before - draw) if draw < min(before, track.told - NEAR_A) else 0.0
    track.drawn, track.drawn_at = drawn, seen.drawn_at
    track.estimate = [0.0, 0.0, 0.0]
    for line, value in zip(seen.wiring, drawn, strict=False):
        track.estimate[line] += max(value, 0.0)
    track.sampled = list(track.estimate)
    if seen.charging:
        _learn_phases(track, seen, timing)
        _learn_demand(track, seen, timing)


def _learn_phases(track: Track, seen: ConnectorSeen, timing: Timing) -> None:
    drawn = seen.drawn or ()
    busy = max(drawn) >= BUSY_A
    for phase, value in enumerate(drawn[: len(seen.wiring)]):
        if value >= IDLE_A:
            track.idle_since[phase], track.unused[phase] = None, False
        elif busy:
            since = track.idle_since[phase]
            if since is None:
                track.idle_since[phase] = seen.drawn_at
            elif seen.drawn_at - since >= timing.phase_idle_s:
                track.unused[phase] = True
        else:
            track.idle_since[phase] = None


def _learn_demand(track: Track, seen: ConnectorSeen, timing: Timing) -> None:
    """Find out what the car wants: one that stays below its limit wants no more than a margin above its draw."""
    draw = max((seen.drawn or (0.0,))[: len(seen.wiring)])
    if draw >= IDLE_A:
        track.empty_since = None
    elif track.told and track.empty_since is None and track.had_time_to_rise(timing):
        track.empty_since = seen.drawn_at
    if not track.told or draw >= track.told - NEAR_A or not track.had_time_to_rise(timing):
        track.steady_since = None
        if track.takes is not None and draw >= track.takes - NEAR_A:
            track.takes = None
        return
    if track.steady_since is None or abs(draw - track.steady_a) > STEADY_A:
        track.steady_since, track.steady_a = seen.drawn_at, draw
    elif seen.drawn_at - track.steady_since >= timing.steady_s:
        takes = draw + timing.demand_margin_a
        if track.takes is None:
            track.takes, track.takes_at = takes, seen.drawn_at
        elif abs(takes - track.takes) > STEADY_A:
            track.takes = takes


def _follow_acceptance(track: Track, now: float, timing: Timing) -> None:
    """Lower the ceiling once a decrease is obeyed.

    A sample at or below the new limit shows that, if the station had time to follow the last raise before it (else
    the car may still be on its way up). Otherwise it counts as obeyed `free_after_s` after it was accepted, and what
    the meter then does not show as gone is the building's (see `headroom`).
    """
    if track.accepted is None or (track.ceiling == track.accepted and len(track.limits) == 1):
        return
    while len(track.limits) > 1 and now - track.limits[1][0] >= timing.free_after_s:
        track.limits.pop(0)
    if (
        track.drawn is not None
        and track.drawn_at is not None
        and max(track.drawn) <= track.accepted + NEAR_A
        and track.had_time_to_rise(timing)
        and now - track.drawn_at <= timing.report_s
    ):
        del track.limits[:-1]
    ceiling = max(limit_a for _, limit_a in track.limits)
    if ceiling < track.ceiling and not track.ignores:
        track.estimate = [min(value, max(ceiling, track.told)) for value in track.estimate]
    track.ceiling = ceiling


@lru_cache(maxsize=4096)
def round_down(current_a: float, step_a: float) -> float:
    """Round to a multiple of the step that is not above (13.9 is 139 steps of 0.1, whatever binary says)."""
    return current_a if current_a == inf else round(floor(current_a / step_a + 1e-5) * step_a, 6)


@lru_cache(maxsize=4096)
def round_up(current_a: float, step_a: float) -> float:
    """Round to a multiple of the step that is not below."""
    return round(ceil(current_a / step_a - 1e-5) * step_a, 6)
