"""The car: how it follows what is offered, and how its battery fills; pure, times are seconds on any clock."""

import math
from dataclasses import dataclass, field

from .profiles import VOLTAGE_V

MINIMUM_A = 6.0  # IEC 61851-1: the lowest current a station can signal
TRICKLE_A = 1.0  # what a car still takes in the last minutes of its taper
INTEGRATION_STEP_S = 1.0


@dataclass(slots=True)
class Car:
    """An electric car on one to three phases, symmetric over those it uses.

    It wants `wanted_wh`; over the last `taper_wh` of them its current falls in proportion. A changed offer takes
    effect `follow_s` later (IEC 61851-1 allows 5 s), or over that time in a straight line if it `ramps`.
    It takes `share` of what it could have.
    """

    phases: int = 3
    maximum_a: float = 16.0
    wanted_wh: float = 20_000.0
    taper_wh: float = 1_000.0
    follow_s: float = 2.0
    ramps: bool = False
    share: float = 1.0
    minimum_a: float = MINIMUM_A
    taken_wh: float = 0.0
    _offers: list[tuple[float, float]] = field(default_factory=lambda: [(-math.inf, 0.0)], init=False, repr=False)
    _advanced_to: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.phases not in (1, 2, 3):
            raise ValueError(f"expected a car on 1 to 3 phases, got {self.phases}")

    @property
    def is_full(self) -> bool:
        """Tell whether the car has all it wanted."""
        return self.taken_wh >= self.wanted_wh

    @property
    def offered_a(self) -> float:
        """Tell the last offer, whether followed already or not."""
        return self._offers[-1][1]

    def offer(self, offered_a: float, now: float) -> None:
        """Offer another current, A per phase; the same again changes nothing."""
        if offered_a == self.offered_a:
            return
        if self.ramps:
            self._offers = [(now, self._followed_a(now)), (now + self.follow_s, offered_a)]
            return
        # Offers on their way stay on their way: a car with a dead time answers each of them, later.
        current = [offer for offer in self._offers if offer[0] <= now][-1:]
        pending = [offer for offer in self._offers if offer[0] > now]
        self._offers = [*current, *pending, (now + self.follow_s, offered_a)]

    def _followed_a(self, now: float) -> float:
        """Tell the offer the car goes by at `now`."""
        before = [offer for offer in self._offers if offer[0] <= now]
        if self.ramps and len(self._offers) == 2 and len(before) == 1:
            (start, low), (end, high) = self._offers
            if start > -math.inf:
                return low + (high - low) * (now - start) / (end - start)
        return before[-1][1] if before else self._offers[0][1]

    def drawn_a(self, now: float) -> float:
        """Tell what the car draws on each of its phases; below its minimum it draws nothing."""
        followed_a = self._followed_a(now)
        # A ramp passes through values that were never offered; only where it leads to decides about stopping.
        ramps_to_stop = self.ramps and self.offered_a < self.minimum_a
        if self.is_full or (followed_a < self.minimum_a and not ramps_to_stop):
            return 0.0
        missing_wh = self.wanted_wh - self.taken_wh
        taper = min(1.0, missing_wh / self.taper_wh) if self.taper_wh > 0 else 1.0
        return min(followed_a, max(TRICKLE_A, self.maximum_a * taper)) * self.share

    def advance(self, now: float) -> float:
        """Charge up to `now` and return the energy taken since the last call, in Wh."""
        moment = now if self._advanced_to is None else self._advanced_to
        before_wh = self.taken_wh
        while moment < now:
            following = min(now, moment + INTEGRATION_STEP_S, *(at for at, _ in self._offers if at > moment))
            middle_a = self.drawn_a((moment + following) / 2)
            self.taken_wh += middle_a * self.phases * VOLTAGE_V * (following - moment) / 3600
            moment = following
        self.taken_wh = min(self.taken_wh, max(self.wanted_wh, before_wh))
        self._advanced_to = now
        return self.taken_wh - before_wh
