"""Run a garage against an LLM until SIGINT or SIGTERM: `python -m simulator --url ws://127.0.0.1:8000/ocpp --help`."""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from .control import read_lines, serve_control
from .demo import drive, garage
from .link import SimulatorError
from .model import Event
from .world import LoadCurve, World, watch_fuse

log = logging.getLogger("simulator")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Stations, cars and a grid meter.")
    parser.add_argument("--url", required=True, help="WebSocket address without the identity")
    parser.add_argument("--stations", type=int, default=8, help="how many; CP1, CP2, … (default 8)")
    parser.add_argument("--password", help="HTTP Basic password of all stations")
    parser.add_argument("--badge", default="DEMO", help="badge of all drivers (default DEMO)")
    parser.add_argument("--arrivals", type=float, default=60.0, metavar="S", help="in which all cars come (60)")
    parser.add_argument("--sample-interval", type=float, default=10.0, metavar="S", help="of meter values (10)")
    parser.add_argument("--meter", type=_address, metavar="HOST:PORT", help="serve the grid meter over Modbus TCP here")
    parser.add_argument("--fuse", type=float, metavar="A", help="log when the grid current is above this")
    parser.add_argument("--building", type=_lines, default=(10.0, 10.0, 10.0), metavar="L1,L2,L3", help="A, no cars")
    parser.add_argument("--curve", choices=["demo"], help="vary the building's load; drivers leave and return")
    parser.add_argument("--seed", type=int, default=1, help="of the curve and the drivers")
    parser.add_argument("--control", type=_address, metavar="HOST:PORT", help="serve the control port here (loopback)")
    parser.add_argument("--events", type=Path, metavar="FILE", help="append wire messages, JSON lines")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for noisy in ("websockets", "pymodbus"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        asyncio.run(run(options))
    except (OSError, SimulatorError) as error:
        parser.exit(1, f"simulator: {error}\n")


async def run(options: argparse.Namespace) -> None:
    """Build the garage and keep it up until a signal comes."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    is_demo = options.curve == "demo"
    world = World(building_a=options.building, curve=LoadCurve(seed=options.seed) if is_demo else None)
    with _event_writer(options.events) as on_event:
        stations = garage(
            options.stations,
            options.url,
            password=options.password,
            sample_interval_s=options.sample_interval,
            on_event=on_event,
        )
        world.add(*stations)
        if options.meter:
            world.add_meter(*options.meter)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(world)
            if options.control:
                stack.callback((await serve_control(world, *options.control)).close)
            people = [
                drive(
                    number,
                    station,
                    badge=options.badge,
                    seed=options.seed,
                    arrivals_s=options.arrivals,
                    returns=is_demo,
                )
                for number, station in enumerate(stations)
            ]
            watches = [watch_fuse(world, options.fuse)] if options.fuse else []
            tasks = [asyncio.create_task(life) for life in (*people, *watches)]
            await ended.wait()
            log.info("stopping")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _event_writer(path: Path | None) -> Iterator[Callable[[Event], None] | None]:
    """Open the file of wire events; heartbeats are not worth a line."""
    if path is None:
        yield None
        return
    with path.open("ab", buffering=0) as file:

        def write(event: Event) -> None:
            if not event.action.startswith("Heartbeat"):
                file.write(orjson.dumps(event._asdict()) + b"\n")

        yield write


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text}")
    return host, int(port)


def _lines(text: str) -> tuple[float, float, float]:
    try:
        return read_lines(text.split(","))
    except (SimulatorError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    main()
