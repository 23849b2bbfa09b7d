"""Keep the lines of what is charged close together.

A limit of the unbalance is taken for six more fuses, one for each line above each other line. What loads the one and
not the other, a car on one phase or on two, may draw the limit and what surely loads the other and not the one. A car
on all three lines loads neither side, so it is never lowered for it. As these are places like those of circuits, what
holds for them holds here: never over, zero or enough, fair, no waste, down at once and up slowly.

*Surely* is what a car drew by a sample of this session and may go on drawing: a command to draw is no draw. The other
side counts at its claim, as everywhere. So nothing that a station does late, or does not do, gets the lines apart; a
car that ends by itself does, until its station tells it.
"""

from collections.abc import Hashable, Mapping, Sequence

from .model import ConnectorSeen
from .track import BUSY_A, IDLE_A, Track
from .tree import PAIRS, Tree, pairs_above

DUST_A = 1e-6


def loaded_lines(seen: ConnectorSeen, lines: tuple[int, ...]) -> tuple[int, ...]:
    """Return which of the lines that count for its car it loads: all of them, until a sample shows that it does not.

    A phase that rests is free for others only after `phase_idle_s`; it keeps no balance from the first sample on.
    """
    drawn = seen.drawn or ()
    if max(drawn, default=0.0) < BUSY_A:
        return lines
    busy = {line for line, value in zip(seen.wiring, drawn, strict=False) if value >= IDLE_A}
    return tuple(line for line in lines if line in busy) or lines


def reserve_pairs(tree: Tree, lines: tuple[int, ...], reserves: Mapping[int, float]) -> None:
    """Take out what cannot be commanded of a car that loads these lines; `reserves`: A on each line."""
    for number in pairs_above(lines) if tree.has_pairs else ():
        tree.room[tree.first_pair + number] -= reserves.get(PAIRS[number][0], 0.0)


def pair_rooms(
    bare: Sequence[float], pairs: Sequence[tuple[ConnectorSeen, Track]], wanted: Mapping[Hashable, float]
) -> list[float]:
    """Return the room of each pair: the bare one and what surely loads the other line.

    `wanted`: the A per phase that each of these connectors will keep at least, whatever is decided now.
    """
    rooms = list(bare)
    for seen, track in pairs:
        if track.on_since is None or track.drawn_at is None or track.drawn_at <= track.on_since:
            continue
        most = min(wanted.get(seen.key, 0.0), track.told)
        for number in pairs_above(loaded_lines(seen, track.lines(seen))):
            line, other = PAIRS[number]
            rooms[PAIRS.index((other, line))] += min(most, track.estimate[line], track.sampled[line])
    return [max(0.0, room) for room in rooms]


def is_smaller(rooms: Sequence[float], than: Sequence[float]) -> bool:
    """Tell whether a room is smaller than it was."""
    return any(room < before - DUST_A for room, before in zip(rooms, than, strict=True))
