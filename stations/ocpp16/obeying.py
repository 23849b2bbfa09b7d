"""Whether a station that accepted a limit keeps it: "Accepted" alone proves nothing; pure.

Times are seconds of one clock that never goes back. A sample counts from its receipt: station clocks differ by minutes.
"""

from dataclasses import dataclass, field
from datetime import datetime

from stations.ocpp16.normalise import Sample
from stations.ocpp16.profiles import Rung

OBEY_S = 15.0  # a car follows within 5 s (IEC 61851-1), the station tells it some seconds after it answered
SAMPLES_NEEDED = 2
TOLERANCE_A, TOLERANCE = 1.0, 0.05  # of the station's own measurement


@dataclass(slots=True)
class Promise:
    """What a connector accepted for one transaction in one form, and how many samples in a row spoke against it.

    `limits`: when it accepted which A, oldest first; only those that may still count are kept. `is_moot` says that no
    other form is left to try: what it draws changes nothing any more.
    """

    transaction_id: int
    rung: Rung
    limits: list[tuple[float, float]] = field(default_factory=list)
    broken: int = 0
    newest_at: datetime | None = None
    is_moot: bool = False
    offered_a: float = 0.0

    def accept(self, limit_a: float, now: float) -> None:
        """Note a limit that was accepted."""
        self._forget_followed(now)
        self.limits.append((now, limit_a))

    def hear(self, sample: Sample, now: float) -> tuple[float, float] | None:
        """Take a live sample in; at the second in a row that is too much returns A drawn or offered, and A allowed."""
        self._forget_followed(now)
        shown_a = shown(sample)
        self.offered_a = 0.0 if sample.has_currents else sample.offered_a or self.offered_a
        is_new = self.newest_at is None or sample.at > self.newest_at
        if self.is_moot or shown_a is None or not is_new or now - self.limits[0][0] < OBEY_S:
            return None
        self.newest_at = sample.at
        allowed_a = max(limit_a for _, limit_a in self.limits)
        self.broken = self.broken + 1 if shown_a > allowed_a * (1 + TOLERANCE) + TOLERANCE_A else 0
        return (shown_a, allowed_a) if self.broken >= SAMPLES_NEEDED else None

    def _forget_followed(self, now: float) -> None:
        """Drop the limits that a newer one has replaced for long enough."""
        while len(self.limits) > 1 and now - self.limits[1][0] >= OBEY_S:
            self.limits.pop(0)


def shown(sample: Sample) -> float | None:
    """Return what a sample sets against a limit, A per phase: what is drawn; without a measurement, what is offered.

    Beside a measurement the offer proves nothing: some makes report their maximum or the sum of the phases there.
    """
    if sample.has_currents:
        return max(current for current in sample.currents_a if current is not None)
    return sample.offered_a
