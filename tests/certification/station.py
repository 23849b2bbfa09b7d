"""A charging station that forgives nothing: each frame, said or heard, must be as OCPP-J 1.6 and OCA's schemas have it.

Breaches fail the case, wherever it is: the next wait raises, and `leave` does.
"""

import asyncio
import base64
import itertools
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from urllib.parse import quote

import jsonschema_rs
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SUBPROTOCOL = "ocpp1.6"
WITHIN_S = 30
CALL, RESULT, ERROR = 2, 3, 4
ERROR_CODES = {  # OCPP-J 1.6 §4.2.3, in its own spelling
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
CONFIGURATION = {
    "SupportedFeatureProfiles": "Core,FirmwareManagement,Reservation,RemoteTrigger,SmartCharging",
    "NumberOfConnectors": "1",
    "HeartbeatInterval": "60",
    "MeterValueSampleInterval": "10",
    "MeterValuesSampledData": "Current.Import,Energy.Active.Import.Register",
    "ChargeProfileMaxStackLevel": "8",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "24",
    "MaxChargingProfilesInstalled": "10",
    "WebSocketPingInterval": "30",
}
ACCEPTED = {"status": "Accepted"}
ANSWERS = {  # to what the load manager asks of its own accord
    "ChangeConfiguration": ACCEPTED,
    "ClearChargingProfile": ACCEPTED,
    "RemoteStopTransaction": ACCEPTED,
    "SetChargingProfile": ACCEPTED,
    "TriggerMessage": {"status": "NotImplemented"},
}


class Breach(AssertionError):
    """The protocol was broken."""


@cache
def _validator(name):
    path = files("ocpp") / "v16" / "schemas" / f"{name}.json"
    if not path.is_file():
        raise Breach(f"OCPP 1.6 has no {name}")
    schema = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def check(name, payload):
    """Raise Breach where a payload is not as the schema of an action, or of an action + "Response", has it."""
    for error in _validator(name).iter_errors(payload):
        raise Breach(f"{name} {payload}: {error.message}")


def wire_time(at=None):
    """Write a time, or now, as OCPP has it."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Station:
    """One station; `asked` is what the load manager asked of it, in order: (action, payload)."""

    def __init__(self, identity, *, url, tls_url, authority):
        self.identity, self.url, self.tls_url, self.authority = identity, url, tls_url, authority
        self.password = self.tls = None
        self.configuration, self.answers = dict(CONFIGURATION), dict(ANSWERS)
        self.asked, self.expected, self._breaches = [], [], []
        self._socket = self._listening = self._waiting = self._being_answered = None
        self._numbers, self._heard_ids, self._news = itertools.count(1), set(), asyncio.Event()
        self._answering = set()

    # --- the socket

    def use_tls(self, certificate=None):
        """Connect over TLS from now on, perhaps with a certificate of its own (paths)."""
        self.url, self.tls = self.tls_url, self.authority.trusting(certificate)

    def cipher(self):
        """Return the cipher suite and the version of TLS of the socket."""
        return self._socket.transport.get_extra_info("cipher")[:2]

    async def connect(self, *subprotocols):
        """Open the socket; a refusal raises websockets.InvalidStatus."""
        headers = {}
        if self.password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self.identity}:{self.password}".encode()).decode()
        address = f"{self.url}/{quote(self.identity, safe='')}"
        self._socket = await connect(
            address,
            subprotocols=subprotocols or [SUBPROTOCOL],
            additional_headers=headers,
            ssl=self.tls,
            proxy=None,
            open_timeout=WITHIN_S,
            ping_interval=None,
        )
        if self._socket.subprotocol != SUBPROTOCOL:
            self._note(f"expected the sub-protocol {SUBPROTOCOL}, came {self._socket.subprotocol}")
        self._listening = asyncio.create_task(self._listen(self._socket))

    async def leave(self):
        """Close the socket, and raise Breach if there was any."""
        await self._end(lambda socket: socket.close())
        if self._breaches:
            raise Breach("; ".join(self._breaches))

    async def lose_power(self):
        """Be gone without a word."""

        async def abort(socket):
            socket.transport.abort()

        await self._end(abort)

    async def _end(self, end):
        if self._listening is not None:
            self._listening.cancel()
            for task in [*self._answering]:
                task.cancel()
            await end(self._socket)
            self._socket = self._listening = self._being_answered = None

    def _note(self, breach):
        """Keep a breach and wake who waits."""
        self._breaches.append(breach)
        if self._waiting is not None and not self._waiting[2].done():
            self._waiting[2].set_exception(Breach(breach))
        self._news.set()

    # --- what is heard

    async def _listen(self, socket):
        try:
            async for text in socket:
                try:
                    self._hear(text)
                except Breach as breach:
                    self._note(str(breach))
            self._note(f"the socket was closed by the load manager ({socket.close_code})")
        except ConnectionClosed as closed:
            self._note(f"the socket broke: {closed}")

    def _hear(self, text):
        if not isinstance(text, str):
            raise Breach("expected a text frame, came a binary one")
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Breach(f"expected JSON, came {text}") from None
        kind = frame[0] if isinstance(frame, list) and frame else None
        if kind not in (CALL, RESULT, ERROR) or len(frame) != {CALL: 4, RESULT: 3, ERROR: 5}[kind]:
            raise Breach(f"expected a CALL, CALLRESULT or CALLERROR, came {text}")
        if not isinstance(frame[1], str) or not 0 < len(frame[1]) <= 36:
            raise Breach(f"expected a message id of 1 to 36 characters, came {frame[1]!r}")
        if kind == CALL:
            self._hear_call(*frame[1:])
        else:
            self._hear_answer(kind, *frame[1:])

    def _hear_call(self, number, action, payload):
        if number in self._heard_ids:
            raise Breach(f"expected a message id of its own, came {number} again")
        self._heard_ids.add(number)
        if not isinstance(action, str):
            raise Breach(f"expected the name of an action, came {action}")
        if self._being_answered is not None:
            raise Breach(f"expected one call at a time, came {action} before {self._being_answered} was answered")
        check(action, payload)
        self._being_answered = action
        task = asyncio.create_task(self._answer(number, action, payload))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, number, action, payload):
        """Answer a call, after a round trip in which a second one that was already sent is heard."""
        try:
            await (await self._socket.ping())
            answer = self._reply(action, payload)
            frame = [ERROR, number, "NotSupported", f"{action} is not supported", {}]
            if answer is not None:
                check(f"{action}Response", answer)
                frame = [RESULT, number, answer]
            self._being_answered = None
            self.asked.append((action, payload))
            await self._say(frame)
        except (Breach, ConnectionClosed) as error:
            self._note(str(error))
        self._news.set()

    def _reply(self, action, payload):
        """Answer as the case expects, else as a plain station does."""
        for row in self.expected:
            if row[:2] == (action, payload):
                self.expected.remove(row)
                return row[2]
        if action == "GetConfiguration":
            return self._tell(payload.get("key") or list(self.configuration), bool(payload.get("key")))
        return self.answers.get(action)

    def _tell(self, names, is_specific):
        known = [name for name in names if name in self.configuration]
        told = {
            "configurationKey": [{"key": key, "readonly": False, "value": self.configuration[key]} for key in known]
        }
        return told | ({"unknownKey": [name for name in names if name not in known]} if is_specific else {})

    def _hear_answer(self, kind, number, *said):
        if self._waiting is None or self._waiting[0] != number or self._waiting[2].done():
            raise Breach(f"expected no answer, came one to {number}: {said}")
        _number, action, answered = self._waiting
        if kind == ERROR:
            code, description, details = said
            if code not in ERROR_CODES or not isinstance(details, dict):
                raise Breach(f"expected a CALLERROR with a known code and an object of details, came {said}")
            if not isinstance(description, str) or len(description) > 255:
                raise Breach(f"expected a description of at most 255 characters, came {description!r}")
            answered.set_exception(Breach(f"{action} was answered with a CALLERROR: {code}: {description}"))
        else:
            check(f"{action}Response", said[0])
            answered.set_result(said[0])

    # --- what is said

    async def _say(self, frame):
        await self._socket.send(orjson.dumps(frame).decode())

    async def ask(self, action, **payload):
        """Call the load manager and return its answer; a CALLERROR raises Breach."""
        check(action, payload)
        assert self._waiting is None, "a station makes one call at a time"
        self._waiting = number, _action, answered = (
            f"{self.identity}-{next(self._numbers)}"[-36:],
            action,
            asyncio.get_running_loop().create_future(),
        )
        try:
            await self._say([CALL, number, action, payload])
            return await asyncio.wait_for(answered, WITHIN_S)
        except TimeoutError:
            raise Breach(f"{action} was not answered in {WITHIN_S} s") from None
        finally:
            self._waiting = None

    def expect(self, action, payload, answer):
        """Answer the next call that is just this one so."""
        self.expected.append((action, payload, answer))

    async def until_asked(self, action, fits=lambda _payload: True, *, since=0):
        """Wait until the load manager has asked something, after the first `since` calls, and return its payload."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    if self._breaches:
                        raise Breach("; ".join(self._breaches))
                    for name, payload in self.asked[since:]:
                        if name == action and fits(payload):
                            return payload
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Breach(f"{action} was not asked in {WITHIN_S} s, only {self.asked[since:]}") from None

    # --- the states that cases begin from

    async def boot(self, **more):
        """Connect where that is still to be done, boot, and report everything as available."""
        if self._socket is None:
            await self.connect()
        answer = await self.ask("BootNotification", chargePointVendor="Strict", chargePointModel="Case", **more)
        assert answer["status"] == "Accepted"
        for connector in (0, 1):
            await self.report("Available", connector)
        return answer

    async def report(self, status, connector=1, error="NoError"):
        """Report the state of a connector; 0 is the station."""
        await self.ask(
            "StatusNotification", connectorId=connector, errorCode=error, status=status, timestamp=wire_time()
        )

    async def authorise(self, id_tag):
        """Return the idTagInfo of a badge that was presented."""
        return (await self.ask("Authorize", idTag=id_tag))["idTagInfo"]

    async def start(self, id_tag, *, at=None, meter_wh=1000, **more):
        """Start a transaction on connector 1; returns its number and the idTagInfo."""
        answer = await self.ask(
            "StartTransaction", connectorId=1, idTag=id_tag, meterStart=meter_wh, timestamp=wire_time(at), **more
        )
        return answer["transactionId"], answer["idTagInfo"]

    async def stop(self, number, reason, *, at=None, meter_wh=3500, **more):
        """Stop a transaction and return the answer."""
        return await self.ask(
            "StopTransaction", transactionId=number, meterStop=meter_wh, timestamp=wire_time(at), reason=reason, **more
        )

    async def charge(self, id_tag, **more):
        """Plug in, identify, start and charge; returns the number of the transaction."""
        await self.report("Preparing")
        assert (await self.authorise(id_tag))["status"] == "Accepted"
        number, info = await self.start(id_tag, **more)
        assert info["status"] == "Accepted"
        await self.report("Charging")
        return number
