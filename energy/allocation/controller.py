"""Decide each second what every station is to be told: a state machine without clock, network or database.

What the building takes is found in `headroom`, what a car takes in `track`, who gets how much in `kernel`, and what of
that may be sent now in `release`. Here they are put together with the rules that need memory: who starts, who stays,
whose turn it is, and what holds when the meter is silent.
"""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from math import floor, inf
from typing import Any

from .cuts import cut_reason, top_circuit
from .fail_safe import left_alone, safe_current
from .headroom import Headroom, Pairs
from .kernel import Share, share_out
from .model import ConnectorSeen, Decision, Demand, Lines, Observation, Reason, ReasonCode, SurplusRule, Timing
from .release import DUST_A, Turn, lift, lower, round_up_minimum
from .surplus import PLACE, WAITING, Surplus, admit, explain_waiting, needs, share_above_minimums
from .track import Track, observe, round_down, sound
from .transformers import Transformers
from .tree import PAIRS, Tree, take
from .unbalance import is_smaller, loaded_lines, pair_rooms, reserve_pairs

FIRST = 1_000_000_000
"""Priority of whoever may not be stopped yet."""

CLOCK_JITTER_S = 1.0

STAYS_S = 1e9
"""Lead in serving order of whoever charges already: more than any time served."""


class Controller:
    """Remember what was told and seen, and decide what to tell."""

    def __init__(self, timing: Timing, *, dynamic: bool) -> None:
        """Share what a meter leaves (dynamic), or a given current, which a meter can only lower (static)."""
        self.timing = timing
        self.dynamic = dynamic
        self._forget()

    def _forget(self) -> None:
        """Begin with no memory."""
        self.tracks: dict[Hashable, Track] = {}
        self.headroom = Headroom(self.timing)
        self.surplus = Surplus(self.timing)
        self.transformers = Transformers(self.timing)
        self.started_at: float | None = None
        self.now = 0.0
        self.epoch: int | None = None
        self.no_raise_until: float | None = None

    def dump(self) -> dict[str, Any]:
        """Return all state as plain JSON values; keys must be JSON values too (numbers, strings)."""
        return {
            "tracks": [[key, track.dump()] for key, track in self.tracks.items()],
            "headroom": self.headroom.dump(),
            "surplus": self.surplus.dump(),
            "transformers": self.transformers.dump(),
            "started_at": self.started_at,
            "now": self.now,
            "epoch": self.epoch,
            "no_raise_until": self.no_raise_until,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the controller whose `dump` this is stopped."""
        self.tracks = {key: Track.restore(track) for key, track in state["tracks"]}
        self.headroom.restore(state["headroom"])
        if "surplus" in state:
            self.surplus.restore(state["surplus"])
        if "transformers" in state:
            self.transformers.restore(state["transformers"])
        self.started_at, self.now = state["started_at"], state["now"]
        self.epoch, self.no_raise_until = state["epoch"], state["no_raise_until"]

    def decide(self, seen: Observation) -> Decision:
        """Say what should be in force at every connector now.

        Figures that are none are taken for the safe ones (`sound`). A time that went back means another clock: what is
        remembered by the old one is forgotten.
        """
        if seen.now < self.now - CLOCK_JITTER_S:
            self._forget()
        seen = replace(seen, connectors=tuple(map(sound, seen.connectors)), grid_at=min(seen.grid_at, seen.now))
        pairs = self._observe(seen)
        state = self._state(seen, pairs)
        if state == "fail_safe":
            return self._fall_back(seen, pairs)
        limit, steady = self._limits(seen)
        tree = Tree(steady, seen.circuits, seen.unbalance_a)
        if seen.surplus is not None:
            tree.add_pool(PLACE, self.surplus.least_since(self._steady_since(seen)))
        free_pairs = self._reserve(tree, pairs)
        rotating = self._turn_of_epoch(seen.now)
        demands = self._demands(tree, free_pairs, rotating, seen.now)
        shares = self._share_evenly(tree, free_pairs, demands, rotating, seen)
        turns = _turns(tree, free_pairs, demands, shares)
        may_lift = state == "operational" and (self.no_raise_until is None or seen.now >= self.no_raise_until)
        lower(turns, tree, seen.now, self.timing, may_lift=may_lift)
        if may_lift:
            lift(turns, tree, self.headroom.unproven(pairs, seen.now), seen.now, self.timing)
        return self._decision(seen, pairs, turns, shares, state, limit)

    def _observe(self, seen: Observation) -> Pairs:
        """Take in the observation: connectors first, so that the meter is compared with the newest samples."""
        now = seen.now
        elapsed_s = max(0.0, now - self.now) if self.started_at is not None else 0.0
        charging = [track for track in self.tracks.values() if track.charging]
        for track in charging:
            if track.told:
                track.served_s += elapsed_s
        least_served_s = min((track.served_s for track in charging), default=0.0)
        pairs = []
        for connector in seen.connectors:
            track = self.tracks.get(connector.key) or self._first_sight(connector, now)
            was_charging = track.charging
            observe(track, connector, now, self.timing)
            if connector.charging and not was_charging:
                track.served_s = least_served_s
            pairs.append((connector, track))
        self.tracks = {connector.key: track for connector, track in pairs}
        self.transformers.update(seen, pairs)
        fault = self.transformers.fault
        if fault is None or not fault.is_certain:
            self.headroom.update(seen, pairs)
            building = self.headroom.building
            if seen.surplus is not None and building is not None and self.headroom.usable_at == seen.grid_at:
                self.surplus.update(building, now)
        if self.started_at is None:
            self.started_at = now
        self.now = now
        return pairs

    def _first_sight(self, seen: ConnectorSeen, now: float) -> Track:
        """Take over a session that a fresh controller finds running: as it is, until it is known better."""
        track = Track()
        if self.started_at is None and seen.charging and seen.accepted:
            observe(track, seen, now, self.timing)
            track.told, track.raised_at = seen.accepted, None
            track.on_since = now - self.timing.minimum_on_s
            if track.drawn is None:
                for line in seen.wiring:
                    track.estimate[line] = track.told
        return track

    def _state(self, seen: Observation, pairs: Pairs) -> str:
        """Tell how far the meter and the stations can be relied on."""
        if not self.dynamic:
            return "operational"
        age_s = self.headroom.age_s(seen.now)
        nearest_s = self.timing.beat_s / 2  # it is the turn nearest to the age that counts, not the one after
        if age_s is None or age_s > self.timing.stale_meter_s - nearest_s:
            return "fail_safe"
        if age_s > self.timing.no_increase_s - nearest_s:
            return "meter_old"
        if self.started_at is not None and seen.now - self.started_at < self.timing.report_s:
            for connector, track in pairs:
                is_unknown = track.drawn_at is None or track.drawn_at < self.started_at - self.timing.report_s
                if connector.charging and connector.accepted and is_unknown:
                    return "starting"
        return "operational"

    def _fall_back(self, seen: Observation, pairs: Pairs) -> Decision:
        """Put every charging connector at its fail-safe current; go on only after headroom has been seen again.

        Together they get no more than the building left at its largest when it was last seen: a silent meter must not
        raise anybody into the fuse. In two steps as ever; a station that ignores its limit is told no more than it has.
        """
        silent, idle = Reason(ReasonCode.METER_SILENT), Reason(ReasonCode.NOT_CHARGING)
        tree = Tree(self._left(seen, -inf), seen.circuits, seen.unbalance_a)
        free_pairs = self._reserve(tree, pairs)
        demands = [
            replace(demand, maximum=safe_current(connector))
            for demand, (connector, _) in zip(
                self._demands(tree, free_pairs, self._turn_of_epoch(seen.now), seen.now), free_pairs, strict=True
            )
        ]
        turns = _turns(tree, free_pairs, demands, share_out(tree, demands))
        lower(turns, tree, seen.now, self.timing, may_lift=True)
        lift(turns, tree, self.headroom.unproven(pairs, seen.now), seen.now, self.timing)
        ruled = {demand.key for demand in demands}
        allocations: dict[Hashable, float] = {}
        reasons: dict[Hashable, Reason] = {}
        for connector, track in pairs:
            allocations[connector.key], reasons[connector.key] = 0.0, idle
            if not connector.connected:
                allocations[connector.key], reasons[connector.key] = left_alone(connector)
            elif connector.charging:
                if connector.key not in ruled:
                    safe = min(track.told, round_down(safe_current(connector), connector.step))
                    track.tell(safe if safe >= connector.minimum else 0.0, seen.now)
                allocations[connector.key], reasons[connector.key] = track.told, silent
        if self.headroom.usable_at is not None:
            self.no_raise_until = seen.now + self.timing.ramp_hold_s
        next_at = seen.now + self.timing.beat_s
        return Decision(allocations, reasons, next_at, (0.0, 0.0, 0.0), "fail_safe")

    def _limits(self, seen: Observation) -> tuple[Lines, Lines]:
        """Return what is left for charging: now, and steadily (to share out)."""
        return self._left(seen, seen.now - self.timing.headroom_window_s), self._left(seen, self._steady_since(seen))

    def _steady_since(self, seen: Observation) -> float:
        """Return since when current must have been left to be given: `ramp_hold_s`, or the oldest sample in use."""
        oldest_at = seen.now - self.timing.ramp_hold_s
        for connector in seen.connectors:
            if connector.charging and connector.connected and connector.drawn is not None:
                oldest_at = min(oldest_at, connector.drawn_at)
        return oldest_at

    def _left(self, seen: Observation, since: float) -> Lines:
        """Return the least that was left for charging on each line since then; all of it where no meter is heard."""
        age_s = self.headroom.age_s(seen.now)
        if age_s is None or (not self.dynamic and age_s >= self.timing.stale_meter_s):
            return seen.limit
        building = self.headroom.largest(since)
        first, second, third = (
            max(0.0, usable - taken - self.timing.reserve_a) for usable, taken in zip(seen.limit, building, strict=True)
        )
        return first, second, third

    def _reserve(self, tree: Tree, pairs: Pairs) -> Pairs:
        """Take what cannot be commanded out of the tree; return the connectors that can."""
        free_pairs = []
        for connector, track in pairs:
            estimate = track.estimate
            if connector.charging and connector.connected and not track.ignores:
                free_pairs.append((connector, track))
                in_force = track.in_force()
                if (max(estimate) <= in_force or track.is_falling()) and True not in track.unused:
                    continue
                used = track.lines(connector)
                reserves = [
                    (line, estimate[line] - in_force if line in used else estimate[line]) for line in connector.wiring
                ]
            else:
                claimed = _claimed(connector, track)
                if not claimed and not any(estimate):
                    continue
                reserves = [(line, max(estimate[line], claimed)) for line in connector.wiring]
            reserve_pairs(tree, loaded_lines(connector, track.lines(connector)), dict(reserves))
            for line, reserved in reserves:
                if reserved > 0:
                    for place in tree.places(connector.circuit, (line,)):
                        tree.room[place] = max(0.0, tree.room[place] - reserved)
        return free_pairs

    def _turn_of_epoch(self, now: float) -> bool:
        """Tell whether this decision is the one that rotates: the first of each epoch, common to all."""
        epoch = floor(now / self.timing.rotation_s)
        rotating = self.epoch is not None and epoch != self.epoch
        self.epoch = epoch
        return rotating

    def _demands(self, tree: Tree, pairs: Pairs, rotating: bool, now: float) -> list[Demand]:
        """Say what each connector could use now."""
        demands = [_demand(connector, track, rotating, now, self.timing) for connector, track in pairs]
        if not tree.has_pairs:
            return demands
        return [
            replace(demand, loads=loaded_lines(connector, demand.lines))
            for demand, (connector, _) in zip(demands, pairs, strict=True)
        ]

    def _share_evenly(
        self, tree: Tree, pairs: Pairs, demands: list[Demand], rotating: bool, seen: Observation
    ) -> dict[Hashable, Share]:
        """Share within a limit of the unbalance: whoever is to have less holds up the other lines by that less.

        Each round makes rooms smaller, and mostly one is enough; after the last nobody counts on the other lines.
        """
        if not tree.has_pairs:
            return self._share(tree, pairs, demands, rotating, seen)
        before, end = list(tree.room), tree.first_pair + len(PAIRS)
        bare = before[tree.first_pair : end]
        wanted = {connector.key: track.told for connector, track in pairs}
        for is_last in (False, False, False, False, True):
            rooms = pair_rooms(bare, pairs, {} if is_last else wanted)
            tree.room[:] = [*before[: tree.first_pair], *rooms, *before[end:]]
            shares = self._share(tree, pairs, demands, rotating, seen)
            wanted = {
                connector.key: min(wanted[connector.key], round_down(shares[connector.key].current_a, connector.step))
                for connector, _ in pairs
            }
            if not is_smaller(pair_rooms(bare, pairs, wanted), rooms):
                break
        return shares

    def _share(
        self, tree: Tree, pairs: Pairs, demands: list[Demand], rotating: bool, seen: Observation
    ) -> dict[Hashable, Share]:
        """Let the kernel share among those whose cars take current, then leave the others what nobody can use."""
        resting = {
            connector.key
            for connector, track in pairs
            if track.empty_since is not None and track.rests(seen.now, self.timing)
        }
        awake = [demand for demand in demands if demand.key not in resting] if resting else demands
        if seen.surplus is None:
            shares = self._share_awake(tree, pairs, awake, rotating, seen)
        else:
            shares = self._share_surplus(tree, pairs, awake, rotating, seen)
        if resting:
            if seen.surplus == SurplusRule.MINIMUM:
                tree.room[tree.pool] += sum(needs(demand) for demand in demands if demand.key in resting)
            offered = {connector.key for connector, track in pairs if track.told}
            shares |= _leftovers(tree, demands, shares, offered)
        return shares

    def _share_surplus(
        self, tree: Tree, pairs: Pairs, awake: list[Demand], rotating: bool, seen: Observation
    ) -> dict[Hashable, Share]:
        """Share so that the cars have only what the sun leaves, besides their minimum where the rule gives it."""
        surplus_a = tree.room[tree.pool]
        if seen.surplus == SurplusRule.MINIMUM:
            tree.room[tree.pool] = inf
            shares = self._share_awake(tree, pairs, awake, rotating, seen)
            admitted = [demand for demand in awake if shares[demand.key].current_a]
            return shares | share_above_minimums(tree, admitted, surplus_a)
        reserved_a = max(0.0, self.surplus.least_since(self._steady_since(seen))) - surplus_a
        has_place = {
            connector.key
            for connector, track in pairs
            if track.told or (track.granted_until is not None and seen.now < track.granted_until)
        }
        begin_a, stay_a = self.surplus.to_begin(seen.now), self.surplus.to_stay(seen.now)
        too_early = admit(tree, awake, has_place, begin_a - reserved_a, stay_a - reserved_a, swaps=rotating)
        admitted = [demand for demand in awake if demand.key not in too_early]
        shares = self._share_awake(tree, pairs, admitted, rotating, seen)
        return shares | explain_waiting(tree, admitted, shares) | dict.fromkeys(too_early, WAITING)

    def _share_awake(
        self, tree: Tree, pairs: Pairs, awake: list[Demand], rotating: bool, seen: Observation
    ) -> dict[Hashable, Share]:
        """Share among those whose cars take current, and put off those who may not start yet."""
        shares = share_out(tree, awake)
        held_back = self._held_back(pairs, shares, rotating, seen)
        if held_back:
            stays = {connector.key for connector, track in pairs if track.told}
            again = [d for d in awake if d.key not in held_back and (shares[d.key].current_a or d.key in stays)]
            waiting = sorted((d for d in awake if d.key in held_back), key=lambda d: (-d.priority, d.waiting_since))
            places = {d.key: Share(0.0, Reason(ReasonCode.WAITING, {"ahead": n})) for n, d in enumerate(waiting)}
            shares |= {**share_out(tree, again), **places}
        return shares

    def _held_back(
        self, pairs: Pairs, shares: dict[Hashable, Share], rotating: bool, seen: Observation
    ) -> set[Hashable]:
        """Return who may not start yet: no 60 s of headroom of 1.2 times the minimum beside those who charge.

        Whoever was stopped more than once in this session waits for headroom that has stayed longer, doubled at each
        further stop: near the minimum, a building that moves would start and stop it all day. Whoever takes a place
        that rotates needs none: it is current that was used already.
        """
        now = seen.now
        starting = [
            (connector, track)
            for connector, track in pairs
            if not track.told
            and connector.key in shares
            and shares[connector.key].current_a > 0
            and (track.granted_until is None or now >= track.granted_until)
        ]
        if not starting or self.headroom.usable_at is None:
            return set()
        minimums, carried = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        for connector, track in pairs:
            if connector.key in shares:
                is_admitted = shares[connector.key].current_a > 0
                for line in track.lines(connector):
                    minimums[line] += connector.minimum if is_admitted else 0.0
                    carried[line] += connector.minimum if track.told else 0.0
        held_back: set[Hashable] = set()
        for connector, track in sorted(starting, key=lambda pair: (pair[0].priority, -pair[1].served_s)):
            extra = connector.minimum * (self.timing.admission_factor - 1)
            lines = track.lines(connector)
            admission = self._left(seen, now - self._admission_hold_s(track))
            if rotating and all(minimums[line] <= carried[line] + DUST_A for line in lines):
                track.granted_until = now + self.timing.minimum_off_s
            elif any(minimums[line] + extra > admission[line] + DUST_A for line in lines):
                held_back.add(connector.key)
                for line in lines:
                    minimums[line] -= connector.minimum
        return held_back

    def _admission_hold_s(self, track: Track) -> float:
        """Return how long headroom must have stayed before a car is started on it."""
        least_s = self.timing.admission_hold_s
        return max(least_s, min(self.timing.rotation_s, least_s * 2.0 ** min(max(track.stops - 1, 0), 10)))

    def _decision(
        self,
        seen: Observation,
        pairs: Pairs,
        turns: list[Turn],
        shares: dict[Hashable, Share],
        state: str,
        limit: Lines,
    ) -> Decision:
        idle = Reason(ReasonCode.NOT_CHARGING)
        by_key = {turn.seen.key: turn for turn in turns}
        static_name = None if self.dynamic else top_circuit(seen)
        allocations: dict[Hashable, float] = {}
        reasons: dict[Hashable, Reason] = {}
        for connector, track in pairs:
            key = connector.key
            allocations[key] = track.told
            if key in by_key:
                reasons[key] = self._reason(by_key[key], shares[key], state, static_name, seen)
            elif not connector.connected:
                allocations[key], reasons[key] = left_alone(connector)
            elif connector.charging:
                has_had_time = seen.now - track.limits[-1][0] >= self.timing.obey_s
                code = ReasonCode.IGNORES_LIMIT if has_had_time else ReasonCode.FOLLOWING
                reasons[key] = Reason(code, {"drawn_a": round(max(track.drawn or (0.0,)), 1)})
            else:
                reasons[key] = idle
        return Decision(allocations, reasons, seen.now + self.timing.beat_s, limit, state)

    def _reason(self, turn: Turn, share: Share, state: str, static_name: str | None, seen: Observation) -> Reason:
        """Refine what the kernel said: which maximum it was, and what holds an increase back."""
        track, connector = turn.track, turn.seen
        if turn.target > track.told:
            if state != "operational":
                return Reason(ReasonCode.STARTING if state == "starting" else ReasonCode.METER_OLD)
            if not track.told:
                return Reason(ReasonCode.WAITING, {"ahead": 0})
            return Reason(ReasonCode.RAMPING, {"target_a": turn.target})
        if share.reason.code == ReasonCode.STATION_MAXIMUM:
            if not track.told and track.off_since is not None and not share.current_a:
                return Reason(ReasonCode.PAUSED)
            bound = min(connector.maximum, connector.cap)
            if track.takes is not None and max(track.takes, connector.minimum) < bound:
                return Reason(ReasonCode.CAR_TAKES_NO_MORE)
            if connector.cap < connector.maximum:
                return Reason(connector.cap_reason, {"cap_a": connector.cap})
        if share.reason.params.get("circuit") == PLACE:
            return Reason(ReasonCode.SOLAR_SURPLUS)
        cut = cut_reason(seen, connector, share)
        if cut is not None:
            return cut
        if (
            static_name is not None
            and share.reason.code == ReasonCode.CIRCUIT_FULL
            and share.reason.params["circuit"] == static_name
        ):
            params = {name: share.reason.params[name] for name in ("line", "shared_by")}
            return Reason(ReasonCode.STATIC_LIMIT, params)
        return share.reason


def _leftovers(
    tree: Tree, demands: list[Demand], shares: dict[Hashable, Share], offered: set[Hashable]
) -> dict[Hashable, Share]:
    """Leave their minimum to those without a share who are offered it already, as far as the others leave room."""
    room = list(tree.room)
    others = []
    for demand in demands:
        if demand.key not in shares:
            others.append(demand)
            continue
        for place in tree.places_of(demand):
            room[place] -= shares[demand.key].current_a
    found = {}
    for demand in others:
        places = tree.places_of(demand)
        is_possible = demand.key in offered and demand.maximum >= demand.minimum
        fits = is_possible and take(room, places, demand.minimum, DUST_A) < 0
        found[demand.key] = Share(demand.minimum if fits else 0.0, Reason(ReasonCode.CAR_TAKES_NO_MORE))
    return found


def _demand(seen: ConnectorSeen, track: Track, rotating: bool, now: float, timing: Timing) -> Demand:
    minimum = round_up_minimum(seen)
    maximum = seen.maximum if seen.maximum < seen.cap else seen.cap
    if track.takes is not None:
        maximum = min(maximum, max(minimum, track.takes))
    if not track.told and track.off_since is not None and now - track.off_since < timing.minimum_off_s:
        maximum = 0.0
    priority, since = _rank(track, seen.priority, rotating, now, timing)
    return Demand(seen.key, track.lines(seen), minimum, round_down(maximum, seen.step), priority, since, seen.circuit)


def _rank(track: Track, priority: int, rotating: bool, now: float, timing: Timing) -> tuple[int, float]:
    """Return priority and order among equals.

    Who charges stays, of these who had least; when places rotate, who had least of all, by more than half a turn.
    Whoever was started so lately that it must stay on comes before all.
    """
    if not track.told:
        return priority, track.served_s
    if track.on_since is not None and now - track.on_since >= timing.minimum_on_s:
        return priority, track.served_s - (timing.rotation_s / 2 if rotating else STAYS_S)
    is_held = track.on_since is not None and track.empty_since is None
    return FIRST if is_held else priority, -inf


def _turns(tree: Tree, pairs: Pairs, demands: list[Demand], shares: Mapping[Hashable, Share]) -> list[Turn]:
    """Say what each connector that can be commanded should have."""
    return [
        Turn(connector, track, demand, tree.places_of(demand),
             round_down(shares[demand.key].current_a, connector.step))
        for (connector, track), demand in zip(pairs, demands, strict=True)
    ]  # fmt: skip


def _claimed(seen: ConnectorSeen, track: Track) -> float:
    """Return what a connector that cannot be commanded may take by itself, A per phase."""
    if not seen.charging:
        return 0.0
    return track.in_force() if seen.connected else max(track.ceiling, left_alone(seen)[0])
