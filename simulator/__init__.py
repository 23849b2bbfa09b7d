"""The world outside the LLM: charging stations with cars, a building and its grid meter, on one asyncio loop."""

from .car import Car
from .link import SimulatorError
from .meter import Meter
from .model import Event, Model
from .station import Station
from .world import LoadCurve, World, watch_fuse

__all__ = ["Car", "Event", "LoadCurve", "Meter", "Model", "SimulatorError", "Station", "World", "watch_fuse"]
