"""The control port: lines of text that change the simulated world, for people and for tests of the whole."""

import asyncio
import logging
import math
from collections.abc import Sequence

import orjson

from .car import Car
from .link import SimulatorError
from .meter import MODES
from .model import FAULTS
from .station import Station
from .world import World

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")

HELP = """\
building A [A A]        what the building draws, on all lines or on L1 L2 L3
step A                  switch a load of A on, on all lines (negative: off)
meter on|off|frozen|nan|slow|swapped|turned
station ID plug [BADGE [PHASES [MAXIMUM_A]]]   plug a car in, with a badge start charging
station ID unplug       pull the cable
station ID start BADGE  hold a badge to the reader
station ID stop         end the transaction, the car stays
station ID offline|online                      lose the network, find it again
station ID obey|ignore|reject|late|silent|odd  how it behaves; obey mends all
status                  everything, as one line of JSON
help"""


async def serve_control(world: World, host: str, port: int) -> asyncio.Server:
    """Listen for commands, one a line, one answer each ("ok", "error: …", or what was asked); loopback only."""
    if host not in LOOPBACK:
        raise SimulatorError(f"expected a loopback address for the control port, got {host}")

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(f"{await obey(world, line.decode(errors='replace'))}\n".encode())
                await writer.drain()
        except ConnectionError:
            log.info("control connection lost")
        finally:
            writer.close()

    return await asyncio.start_server(converse, host, port)


async def obey(world: World, line: str) -> str:
    """Carry out one command and say how it went."""
    try:
        match line.split():
            case []:
                return "ok"
            case ["help"]:
                return HELP
            case ["status"]:
                return orjson.dumps(status(world)).decode()
            case ["building", *currents]:
                world.building_a = read_lines(currents)
            case ["step", current]:
                world.step(_finite(current))
            case ["meter", mode]:
                await _set_meter(world, mode)
            case ["station", identity, verb, *rest] if identity in world.stations:
                await _command_station(world.stations[identity], verb, rest)
            case _:
                raise SimulatorError(f"expected a command of `help` and a known station, got: {line.strip()}")
    except (SimulatorError, ValueError) as error:
        return f"error: {error}"
    log.info("control: %s", line.strip())
    return "ok"


def _finite(text: str) -> float:
    """Read a number that a current can be."""
    value = float(text)
    if not math.isfinite(value):
        raise SimulatorError(f"expected a number of amperes, got {text}")
    return value


def read_lines(currents: Sequence[str]) -> tuple[float, float, float]:
    """Read one current for all lines, or three."""
    match [_finite(current) for current in currents]:
        case [one]:
            return one, one, one
        case [l1, l2, l3]:
            return l1, l2, l3
    raise SimulatorError(f"expected one current or three, got {len(currents)}")


async def _set_meter(world: World, mode: str) -> None:
    known = next((one for one in MODES if one == mode), None)
    if world.meter is None or known is None:
        raise SimulatorError(f"expected a meter, and one of {', '.join(MODES)}; got {mode}")
    await world.meter.set_mode(known)


async def _command_station(station: Station, verb: str, rest: Sequence[str]) -> None:
    match [verb, *rest]:
        case ["plug"]:
            station.plug(Car())
        case ["plug", badge]:
            station.plug(Car(), id_tag=badge)
        case ["plug", badge, phases]:
            station.plug(Car(phases=int(phases)), id_tag=badge)
        case ["plug", badge, phases, maximum_a]:
            station.plug(Car(phases=int(phases), maximum_a=float(maximum_a)), id_tag=badge)
        case ["unplug"]:
            station.unplug()
        case ["start", badge]:
            station.present_badge(badge)
        case ["stop"]:
            station.stop_transaction(1)
        case ["offline"]:
            await station.go_offline()
        case ["online"]:
            station.go_online()
        case ["obey"]:
            station.set_fault("none")
        case [fault] if fault in FAULTS:
            station.set_fault(next(one for one in FAULTS if one == fault))
        case _:
            raise SimulatorError(f"expected a verb of `help`, got {verb} {' '.join(rest)}")


def status(world: World) -> dict[str, object]:
    """Tell everything about the world at this moment; currents in A."""
    return {
        "at": world.clock(),
        "building_a": world.house_a(),
        "cars_a": world.cars_a(),
        "grid_a": world.grid_a(),
        "meter": world.meter.mode if world.meter else None,
        "stations": {identity: _station_status(station) for identity, station in world.stations.items()},
    }


def _station_status(station: Station) -> dict[str, object]:
    now = station.clock()
    return {
        "online": station.is_online,
        "fault": station.fault,
        "profiles": len(station.profiles),
        "lines_a": station.lines_a(),
        "connectors": [
            {
                "status": connector.status,
                "offered_a": connector.offered_a,
                "phases_a": connector.phases_a(now),
                "car": connector.car is not None,
                "register_wh": round(connector.register_wh),
                "transaction": connector.transaction.id if connector.transaction else None,
            }
            for connector in station.connectors.values()
        ],
    }
