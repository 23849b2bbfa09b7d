"""The operator's server (CPO) of the cases: another maker's, strict about the schemas, told what to do line by line."""

import asyncio
import itertools
from collections import defaultdict
from typing import NamedTuple

import orjson

from tests.certification.station import WITHIN_S, Breach
from tests.e2e.foreign import NODE

LONGEST_LINE = 2**20


class Heard(NamedTuple):
    """What the operator heard, and what it answered."""

    action: str
    payload: dict
    answer: dict


class Cpo:
    """`badges`: number → idTagInfo. `heard` and `faults` are kept by identity, in the order of happening."""

    def __init__(self, badges):
        self._badges, self._numbers, self._orders = badges, itertools.count(1), {}
        self.heard, self.faults = defaultdict(list), defaultdict(list)
        self._news = asyncio.Condition()

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        command = ["node", "operator.mjs", orjson.dumps(self._badges)]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=NODE, stdin=pipe, stdout=pipe, limit=LONGEST_LINE
        )
        self.port = orjson.loads(await self._process.stdout.readline())["port"]
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error):
        self._process.stdin.close()
        await self._process.wait()
        await self._listening

    async def _listen(self):
        async for line in self._process.stdout:
            said = orjson.loads(line)
            if "order" in said:
                self._orders.pop(said["order"]).set_result(said)
            elif "fault" in said:
                self.faults[said["identity"]].append(said["fault"])
            else:
                self.heard[said["identity"]].append(Heard(said["action"], said["payload"], said["answer"]))
            async with self._news:
                self._news.notify_all()

    async def ask(self, identity, action, payload):
        """Ask something of a charge point and return its answer; a CALLERROR or an unfit answer is a Breach."""
        number = next(self._numbers)
        self._orders[number] = answered = asyncio.get_running_loop().create_future()
        self._process.stdin.write(orjson.dumps([number, identity, action, payload]) + b"\n")
        said = await asyncio.wait_for(answered, WITHIN_S)
        if "error" in said:
            raise Breach(f"{action} was answered with {said['error']}")
        return said["answer"]

    async def until(self, told, wanted):
        """Wait until the operator was told what was wanted: `told` returns what it was told."""
        try:
            async with asyncio.timeout(WITHIN_S), self._news:
                await self._news.wait_for(lambda: told() == wanted)
        except TimeoutError:
            raise Breach(f"the operator should have been told {wanted}, and was told {told()}") from None


def breaches(heard):
    """List what a charge point may not say, though schemas allow it: out of order, with strange numbers."""
    found, running, is_accepted = [], set(), False
    for action, payload, answer in heard:
        number = payload.get("transactionId")
        if action == "BootNotification":
            is_accepted = answer["status"] == "Accepted"
        elif not is_accepted:
            found.append(f"{action} before BootNotification was accepted")
        if action == "StartTransaction":
            running.add(answer["transactionId"])
        elif number is not None and number not in running:
            found.append(f"{action} of transaction {number}, which does not run")
        if action == "StopTransaction":
            running.discard(number)
    return found
