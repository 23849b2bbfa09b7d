"""Take a limit from outside over Modbus TCP, and say what holds: `python -m llm_site.limit_server`.

A process of its own, which runs only where `LLM_MODBUS_PORT` is set: Modbus knows no password.
"""

import asyncio
import logging
import os
import signal

import django
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
django.setup()

from channels.db import database_sync_to_async  # noqa: E402 (needs the apps loaded)
from django.conf import settings  # noqa: E402
from django.db import DatabaseError  # noqa: E402
from django.utils import timezone  # noqa: E402

from energy.external_limit import give_limit, keep_validity, lift_limit  # noqa: E402
from energy.limit_registers import COUNT, NoSuchRegister, OutOfRange, State, registers_of, wish_of  # noqa: E402
from energy.models import ExternalLimit  # noqa: E402

logger = logging.getLogger(__name__)

GIVEN_BY = "Modbus TCP"
FUNCTIONS = frozenset({3, 6, 16})  # read and write holding registers: a coil is no limit


async def start(address: str, port: int) -> ModbusTcpServer:
    """Listen; raises RuntimeError where the port is taken."""
    bits = [SimData(0, values=False, datatype=DataType.BITS)]
    registers = [SimData(0, values=0, count=COUNT, datatype=DataType.REGISTERS)]
    device = SimDevice(0, simdata=(bits, list(bits), registers, list(registers)), action=_on_request)
    server = ModbusTcpServer(device, address=(address, port))
    await server.serve_forever(background=True)
    return server


async def _on_request(
    function: int,
    _start: int,
    address: int,
    _count: int,
    registers: list[int],
    written: list[int] | list[bool] | None,
) -> ExcCodes | None:
    """Take in what is written, and put what holds now into the registers that are about to be read."""
    if function not in FUNCTIONS:
        return ExcCodes.ILLEGAL_FUNCTION
    try:
        if written is not None:
            await database_sync_to_async(_take)(address, [int(value) for value in written])
        registers[:] = await database_sync_to_async(_registers)()
    except NoSuchRegister:
        return ExcCodes.ILLEGAL_ADDRESS
    except OutOfRange:
        return ExcCodes.ILLEGAL_VALUE
    except DatabaseError:
        logger.exception("A request could not be answered: the database is away; the limit that holds stays")
        return ExcCodes.DEVICE_FAILURE
    return None


def _take(address: int, values: list[int]) -> None:
    wish = wish_of(address, values)
    if wish.valid_for_s is not None:
        keep_validity(valid_for_s=wish.valid_for_s)
    if wish.is_limit and wish.limit_a is None:
        lift_limit()
    elif wish.limit_a is not None:
        valid_for_s = wish.valid_for_s or min(ExternalLimit.get_solo().valid_for_s, 0xFFFF)
        give_limit(limit_a=wish.limit_a, valid_for_s=valid_for_s, given_by=GIVEN_BY)


def _registers() -> list[int]:
    given, now = ExternalLimit.get_solo(), timezone.now()
    in_force_a = given.in_force_a(now)
    state, left_s = State.NONE, 0.0
    if given.valid_until is not None and given.is_valid_at(now):
        state, left_s = State.VALID, (given.valid_until - now).total_seconds()
    elif given.has_run_out(now):
        state = State.RUN_OUT if in_force_a is None else State.FALLBACK
    return registers_of(
        limit_a=given.limit_a,
        valid_for_s=given.valid_for_s,
        in_force_a=in_force_a,
        state=state,
        left_s=left_s,
    )


async def _main() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await start(settings.MODBUS_ADDRESS, settings.MODBUS_PORT)
    logger.info("Limits are taken over Modbus TCP at %s:%d", settings.MODBUS_ADDRESS, settings.MODBUS_PORT)
    await stopped.wait()
    await server.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(_main())
