"""Draw currents over time as paths of an SVG: building and charging stacked, the limit as a line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 160


@dataclass(frozen=True, slots=True)
class Picture:
    """The paths of one line of the installation; `most_a` is what the upper edge stands for."""

    name: str
    building: str
    charging: str
    limit: str
    most_a: float


def draw_lines(
    building: Sequence[Sequence[float]], charging: Sequence[Sequence[float]], limit: Sequence[Sequence[float]]
) -> list[Picture]:
    """Draw L1, L2 and L3 to one scale; each argument is a list of moments with A on each line."""
    tops = [
        max(b + c, most)
        for moment in zip(building, charging, limit, strict=True)
        for b, c, most in zip(*moment, strict=True)
    ]
    most_a = max([1.0, *tops]) * 1.05
    found = []
    for line in range(3):
        below = [max(0.0, lines[line]) for lines in building]
        above = [low + max(0.0, lines[line]) for low, lines in zip(below, charging, strict=True)]
        found.append(
            Picture(
                f"L{line + 1}",
                _area([0.0] * len(below), below, most_a),
                _area(below, above, most_a),
                "M" + _points([lines[line] for lines in limit], most_a),
                round(most_a, 1),
            )
        )
    return found


def _area(low: Sequence[float], high: Sequence[float], most_a: float) -> str:
    forth, back = _points(high, most_a), _points(low, most_a).split(" ")
    return f"M{forth} {' '.join(reversed(back))}Z"


def _points(values: Sequence[float], most_a: float) -> str:
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(f"{number * step:.1f},{HEIGHT * (1 - value / most_a):.1f}" for number, value in enumerate(values))
