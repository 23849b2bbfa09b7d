"""Kill every part under load and see that the building is protected all the same: `make chaos`.

The product with its real processes; twelve stations with a car at each, and a meter that shows the building and what
the cars really draw, each in a process of its own. The building steps within the derating margin all the time. Each
part is killed (`kill -9`) beside a calm building that then steps up by nearly the whole margin, and again just after
such a step, while the decreases are on their way. The product's own processes have to come back by themselves; stations
and meter are started again, as their power supply would.

Held against the lines themselves, ten times a second:

- No line is over the fuse, ever. Charging fits what the lowest building leaves of the derated fuse, and the building
  steps by less than the margin: a load manager that raises nobody while it is blind or dead cannot lose this.
- No line is over the derated fuse for longer than `PROMISED_S`. That is the time in which a meter that has gone silent
  has every car at its fail-safe current; a manager that is dead must be back, and have answered, no later:

      10 s  without a reading until every station is told its fail-safe current (`stale_meter_s`)
    +  1 s  until the next turn of the loop (`beat_s`)
    +  1 s  from the decision to the last station's wire
    +  5 s  until the slowest legal car has followed (IEC 61851-1)

- Everything is back without a person within `BACK_WITHIN_S`: the processes, the stations, and what each station was
  told is what it accepted.

Meanwhile the overview is read each second: every session has a sentence that says why. Printed are one row for each
kill, and the sentences that were seen. Exit code 1 where a promise is broken.
"""

import argparse
import asyncio
import ctypes
import html
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from multiprocessing.context import ForkServerProcess
from typing import TypeAlias

from simulator import Car, Meter, Station
from tests.e2e.product import PROGRAMS, Product, free_port

FUSE_A, USABLE_A = 125.0, 100.0
LOW_A, HIGH_A = 15.0, 39.0  # the building; the step between them is within the margin of 25 A
PROMISED_S = 10 + 1 + 1 + 5
BACK_WITHIN_S, SETTLE_WITHIN_S = 60.0, 240.0
STEPS_FOR_S, STEP_EACH_S = 15.0, 5.0
JUST_AFTER_S = 0.3  # from the kill to the step, or from the step to the kill at most a second more
OVER_A = 0.1  # what stations and cars round
NEARLY_FULL_A = 8.0  # less than one more car takes
WATCH_EACH_S, LOOK_EACH_S, TURN_S = 0.1, 1.0, 1.0
EMPTY = ("", "–")
OBEY_OR_NOT = signal.SIGUSR1

SITE = """
installation: {{name: Chaos, mode: dynamic, phases: 3, fuse_a: {fuse_a}, derating_percent: 20, fail_safe_a: 6,
  measurement: ct_5a, ct_ratio_a: 150}}
meter: {{model: eastron_sdm630, url: "tcp://127.0.0.1:{port}", unit: 1}}
stations: [{stations}]
dashboard: {{access: public}}
setup: {{done: true}}
"""

Currents: TypeAlias = "ctypes.Array[ctypes.c_double]"
"""A on L1, L2, L3 of the building, then of each station: memory that all processes share."""


@dataclass(frozen=True)
class Spot:
    """A place in the garage: how its station is wired, and the car that stands there.

    Eight of the eleven cars on L1 have the fail-safe current of 6 A, and the three whose stations begin at 8 A none:
    the installation can always spare 48 A beside the highest building.
    """

    rotation: str
    lines: tuple[int, ...] = (0, 1, 2)
    phases: int = 3
    maximum_a: float = 32.0
    follow_s: float = 2.0
    wanted_wh: float = 1e6
    minimum_a: int = 6


SPOTS = (
    Spot("L1L2L3"),
    Spot("L2L3L1", (1, 2, 0), maximum_a=16),
    Spot("L3L1L2", (2, 0, 1), follow_s=5),
    Spot("L1L2L3", maximum_a=16),
    Spot("L2L3L1", (1, 2, 0), follow_s=5),
    Spot("L3L1L2", (2, 0, 1), phases=2),
    Spot("L1L3L2", (0, 2, 1), phases=2, maximum_a=16),
    Spot("L1L2L3", wanted_wh=1500),  # full after a while
    Spot("L1", (0,), minimum_a=8),
    Spot("L2", (1,)),
    Spot("L1", (0,), follow_s=5, minimum_a=8),
    Spot("L1", (0,), maximum_a=16, minimum_a=8),
)


def live_station(number: int, url: str, currents: Currents) -> None:
    """Be a station with its car, in a process of its own, and keep what it draws where the meter sees it.

    The driver comes to it when it has its standing current: also after a power cut, over which this one forgets all.
    """

    async def live() -> None:
        spot = SPOTS[number]
        station = Station(f"CP{number + 1}", url, lines=spot.lines, sample_interval_s=5.0)
        station.start()
        asyncio.get_running_loop().add_signal_handler(OBEY_OR_NOT, obey_or_not, station)
        while not len(station.profiles):
            await asyncio.sleep(WATCH_EACH_S)
        car = Car(phases=spot.phases, maximum_a=spot.maximum_a, wanted_wh=spot.wanted_wh, follow_s=spot.follow_s)
        station.plug(car, id_tag="A1")
        while True:
            currents[3 * number + 3 : 3 * number + 6] = list(station.lines_a())
            await asyncio.sleep(WATCH_EACH_S / 2)

    asyncio.run(live())


def obey_or_not(station: Station) -> None:
    """Let a station accept limits and ignore them, or keep them again."""
    station.set_fault("ignore" if station.fault == "none" else "none")
    station.apply_profiles()


def live_meter(port: int, currents: Currents) -> None:
    """Be the meter, in a process of its own."""

    async def live() -> None:
        await Meter(lambda: lines_a(currents), port=port).start()
        await asyncio.Event().wait()

    asyncio.run(live())


def lines_a(currents: Currents) -> tuple[float, float, float]:
    """Tell what flows on the lines now: the building and all cars."""
    now = list(currents)
    return sum(now[0::3]), sum(now[1::3]), sum(now[2::3])


class Garage:
    """The outside world: the building, the meter and the stations, each a process that can be killed alone."""

    def __init__(self, url: str) -> None:
        self.url, self.port = url, free_port()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["simulator"])
        self.currents: Currents = self._context.RawArray(ctypes.c_double, 3 + 3 * len(SPOTS))
        self.stations = [self._start_station(number) for number in range(len(SPOTS))]
        self.meter = self._start_meter()

    def _start_station(self, number: int) -> ForkServerProcess:
        return self._started(live_station, number, self.url, self.currents)

    def _start_meter(self) -> ForkServerProcess:
        return self._started(live_meter, self.port, self.currents)

    def _started(self, life: Callable[..., None], *arguments: object) -> ForkServerProcess:
        process = self._context.Process(target=life, args=arguments, daemon=True)
        process.start()
        return process

    def stop(self) -> None:
        """Switch everything off."""
        for process in (self.meter, *self.stations):
            process.kill()
            process.join()

    def build(self, current_a: float) -> None:
        """Let the building draw so much on each line."""
        self.currents[0:3] = [current_a] * 3

    def kill_meter(self) -> None:
        """End the meter as a power cut would."""
        self.meter.kill()
        self.meter.join()

    def restart_meter(self) -> None:
        """Give the meter its power again."""
        self.meter = self._start_meter()

    def crash(self, number: int) -> None:
        """End a station as a power cut would: its contactor opens."""
        self.stations[number].kill()
        self.stations[number].join()
        self.currents[3 * number + 3 : 3 * number + 6] = [0.0] * 3

    def restart(self, number: int) -> None:
        """Give a station its power again; the car still stands there."""
        self.stations[number] = self._start_station(number)

    def tell(self, number: int, message: signal.Signals) -> None:
        """Send a station a signal."""
        pid = self.stations[number].pid
        assert pid is not None, "a station that was started has a number"
        os.kill(pid, message)


class Record:
    """What flowed, ten times a second, and what the overview said, once a second."""

    def __init__(self, product: Product, currents: Currents) -> None:
        self.samples: list[tuple[float, float]] = []
        """When, and A on the fullest line."""
        self.sentences: Counter[tuple[str, str]] = Counter()
        """How often a state stood on the overview with a reason."""
        self._product, self._currents = product, currents
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._each, args=pair) for pair in self._works()]
        for thread in self._threads:
            thread.start()

    def _works(self) -> list[tuple[float, Callable[[], None]]]:
        return [(WATCH_EACH_S, self._watch), (LOOK_EACH_S, self._look)]

    def _each(self, period_s: float, work: Callable[[], None]) -> None:
        while not self._ended.wait(period_s):
            work()

    def stop(self) -> None:
        """Record no more."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _watch(self) -> None:
        self.samples.append((time.monotonic(), max(lines_a(self._currents))))

    def _look(self) -> None:
        """Read the state and the reason of each session; a product that is dead shows no page."""
        try:
            status, page = self._product.request("/")
        except (OSError, HTTPException):
            return
        if status == 200:
            self.sentences.update(rows_of(page.decode()))

    def peak_a(self, since: float) -> float:
        """Return the most that flowed on a line since then."""
        return max(current_a for at, current_a in self.samples if at >= since)

    def longest_over_s(self, since: float) -> float:
        """Return for how long at most a line was above the derated fuse without a pause since then."""
        longest_s, began = 0.0, None
        for at, current_a in self.samples:
            if at < since or current_a <= USABLE_A + OVER_A:
                began = None
                continue
            began = at if began is None else began
            longest_s = max(longest_s, at - began + WATCH_EACH_S)
        return longest_s


def rows_of(page: str) -> list[tuple[str, str]]:
    """Return state and reason of each session of an overview."""
    table = page.partition('<table class="sessions"')[2].partition("</table>")[0]
    found = []
    for row in table.split("<tr ")[2:]:
        state = re.search(r'class="chip[^>]*>(.*?)</span>', row, re.DOTALL)
        why = re.search(r'class="why"[^>]*>(.*?)(<small|</td>)', row, re.DOTALL)
        found.append((_text(state[1]) if state else "", _text(why[1]) if why else ""))
    return found


def _text(markup: str) -> str:
    """Return the words of a piece of a page; figures are put together, as they are too many to list."""
    return re.sub(r"\d+([.,]\d+)?", "n", html.unescape(re.sub(r"<[^>]*>", "", markup)).strip())


@dataclass(frozen=True)
class Harm:
    """One thing that goes wrong; `step_first`: the building steps up before, not after. `away_s`: then it is undone."""

    what: str
    do: Callable[[], None]
    undo: Callable[[], None] | None = None
    away_s: float = 0.0
    step_first: bool = False


@dataclass(frozen=True)
class Row:
    """What a kill came to. `back_s` None: not everything was back in time."""

    what: str
    over_s: float
    peak_a: float
    back_s: float | None

    @property
    def is_good(self) -> bool:
        """Say whether every promise was kept."""
        return self.over_s <= PROMISED_S and self.peak_a <= FUSE_A and self.back_s is not None


def harms(product: Product, garage: Garage) -> dict[str, list[Harm]]:
    """List what goes wrong, by the name that chooses it on the command line."""

    def kill(*names: str) -> Callable[[], None]:
        def do() -> None:
            for process in [process for name in names for process in product.processes(name)]:
                process.kill()

        return do

    found = {name: [Harm(name, kill(name))] for name in ("control", "web", "redis", "beat", "worker")}
    for name in ("control", "web", "redis"):
        found[name].append(Harm(f"a step, then {name}", kill(name), step_first=True))
    found["all"] = [
        Harm("all five at once", kill(*PROGRAMS)),
        Harm("a step, then all", kill(*PROGRAMS), step_first=True),
    ]
    found["meter"] = [
        Harm("meter, away for 20 s", garage.kill_meter, garage.restart_meter, 20.0),
        Harm("a step, then meter for 5 s", garage.kill_meter, garage.restart_meter, 5.0, step_first=True),
    ]
    found["station"] = [
        Harm("a station loses its power for 10 s", lambda: garage.crash(0), lambda: garage.restart(0), 10.0),
        # It says and hears nothing, its socket stays open, and its car goes on.
        Harm(
            "a station hangs for 40 s",
            lambda: garage.tell(2, signal.SIGSTOP),
            lambda: garage.tell(2, signal.SIGCONT),
            40.0,
        ),
        Harm(
            "a station does not obey for 30 s",
            lambda: garage.tell(4, OBEY_OR_NOT),
            lambda: garage.tell(4, OBEY_OR_NOT),
            30.0,
        ),
    ]
    return found


def is_back(product: Product, since: datetime) -> bool:
    """Say whether all processes live, all stations are connected, and what each was told is what it accepted.

    What was decided must be newer than `since`: what is older says nothing of the processes that live now.
    """
    if not all(product.processes(name) for name in PROGRAMS) or not product.is_serving():
        return False
    (connected,) = product.query("SELECT count(*) FROM stations_station WHERE socket_id <> ''")[0]
    ((state, at),) = product.query("SELECT state, at FROM energy_reading ORDER BY at DESC LIMIT 1")
    (open_ones,) = product.query("SELECT count(*) FROM stations_transaction WHERE stopped_at IS NULL")[0]
    (wrong,) = product.query(
        "SELECT count(*) FROM stations_transaction t JOIN stations_connector c ON c.id = t.connector_id"
        " WHERE t.stopped_at IS NULL AND (c.accepted_limit_a IS NULL OR abs(c.accepted_limit_a -"
        " (SELECT limit_a FROM energy_allocation a WHERE a.connector_id = c.id"
        " ORDER BY decided_at DESC, id DESC LIMIT 1)) > 0.05)"
    )[0]
    is_fresh = state == "operational" and datetime.fromisoformat(at).replace(tzinfo=UTC) > since
    return bool(connected == open_ones == len(SPOTS) and is_fresh and not wrong)


def waited_s(condition: Callable[[], bool], within_s: float) -> float | None:
    """Wait until a condition holds; returns the seconds it took, None where it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        if condition():
            return time.monotonic() - began
        time.sleep(WATCH_EACH_S)
    return None


def settle(product: Product, garage: Garage) -> None:
    """Let a calm building be filled up by charging."""
    garage.build(LOW_A)
    began = datetime.now(UTC)

    def is_full() -> bool:
        return max(lines_a(garage.currents)) >= USABLE_A - NEARLY_FULL_A and is_back(product, began)

    if waited_s(is_full, SETTLE_WITHIN_S) is None:
        sys.exit(
            f"Charging did not take up what a calm building leaves within {SETTLE_WITHIN_S:g} s.\n{product.logs()}"
        )


def inflict(harm: Harm, product: Product, garage: Garage, record: Record, chance: random.Random) -> Row:
    """Do one thing, wait until all is well again, and let the building move on for a while."""
    settle(product, garage)
    began = time.monotonic()
    if harm.step_first:
        garage.build(HIGH_A)
        time.sleep(JUST_AFTER_S + chance.random())
    harm.do()
    time.sleep(JUST_AFTER_S)
    garage.build(HIGH_A)
    if harm.undo is not None:
        time.sleep(harm.away_s)
        harm.undo()
    # A turn that was under way may still have ended after the kill.
    since = datetime.now(UTC) + timedelta(seconds=TURN_S)
    back_s = waited_s(lambda: is_back(product, since), BACK_WITHIN_S)
    until = time.monotonic() + STEPS_FOR_S
    while time.monotonic() < until:
        garage.build(chance.uniform(LOW_A, HIGH_A))
        time.sleep(STEP_EACH_S)
    return Row(harm.what, record.longest_over_s(began), record.peak_a(began), back_s)


def show(row: Row) -> None:
    """Print one row of the table."""
    back = "never" if row.back_s is None else f"{row.back_s:.1f}"
    print(
        f"{row.what:36} {row.over_s:9.1f} {row.peak_a:8.1f} {back:>9}   {'kept' if row.is_good else 'BROKEN'}",
        flush=True,
    )


def play(product: Product, names: list[str], seed: int) -> bool:
    """Kill the parts of these names in turn; returns whether every promise was kept."""
    garage = Garage(product.url)
    garage.build(LOW_A)
    stations = ", ".join(
        f"{{identity: CP{number}, phase_rotation: {spot.rotation}, min_current_a: {spot.minimum_a}}}"
        for number, spot in enumerate(SPOTS, 1)
    )
    product.apply(SITE.format(fuse_a=FUSE_A, port=garage.port, stations=stations))
    record = Record(product, garage.currents)
    chance = random.Random(seed)
    rows = []
    try:
        chosen = harms(product, garage)
        print(f"{'killed':36} {'s over':>9} {'peak':>8} {'s until':>9}")
        print(f"{'':36} {f'{USABLE_A:g} A':>9} {'A':>8} {'back':>9}")
        print(f"{'promised':36} {f'≤ {PROMISED_S}':>9} {f'≤ {FUSE_A:g}':>8} {f'≤ {BACK_WITHIN_S:g}':>9}", flush=True)
        for harm in [harm for name in names for harm in chosen[name]]:
            rows.append(inflict(harm, product, garage, record, chance))
            show(rows[-1])
    finally:
        record.stop()
        garage.stop()
    print("load of the machine:", ", ".join(f"{load:.1f}" for load in os.getloadavg()))
    print("\nseconds that a session stood on the overview as")
    for (state, why), count in sorted(record.sentences.items()):
        print(f"{count:6d}  {state}: {why or '(nothing)'}")
    is_silent = any(why in EMPTY for _state, why in record.sentences)
    return all(row.is_good for row in rows) and not is_silent


def main() -> int:
    """Start the product, kill, print the table; return 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["control", "web", "redis", "beat", "worker", "meter", "station", "all"]
    parser.add_argument("--kill", nargs="*", default=names, choices=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the data folder, and print where it is")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="llm-")
    product = Product(folder, LLM_ACCEPT_STATIONS="auto")
    try:
        product.start()
        return 0 if play(product, options.kill, options.seed) else 1
    finally:
        product.stop()
        if options.keep:
            print(f"LLM_DATA_DIR={folder}")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
