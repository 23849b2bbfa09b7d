"""Frames that no station should send: recorded ones of every action, mutated in every way, and plain rubbish.

Seeded, so that a run can be repeated. `promised` says which of them must be answered with a CALLRESULT all the same.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MIB = 2**20
KEPT_ACTIONS = ("StartTransaction", "StopTransaction", "MeterValues")

# As stations of several makes send them: per phase with a total, decimal commas, no zone, offline times, extra keys.
RECORDED: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"chargePointVendor": "ABB", "chargePointModel": "TACW22", "firmwareVersion": "1.8.21"}),
    ("Heartbeat", {}),
    ("Authorize", {"idTag": "04A1B2C3D4E5F6"}),
    ("StatusNotification", {"connectorId": 1, "status": "Charging", "errorCode": "NoError"}),
    ("StatusNotification", {"connectorId": 0, "status": "Available", "errorCode": "NoError", "info": "ready"}),
    ("StatusNotification", {"connectorId": 2, "status": "Faulted", "errorCode": "mode3Error", "vendorErrorCode": "7"}),
    ("DataTransfer", {"vendorId": "de.acme", "messageId": "state", "data": "{}"}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
    ("DiagnosticsStatusNotification", {"status": "Uploaded"}),
    ("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": "2026-11-22T08:00:00Z"}),
    (
        "StartTransaction",
        {"connectorId": 1, "idTag": "04A1B2C3D4E5F6", "meterStart": 1200, "timestamp": "2026-11-22T08:00:00Z"},
    ),
    ("StartTransaction", {"connectorId": 2, "idTag": "free", "meterStart": 0, "timestamp": "2026-11-22T08:00:00"}),
    (
        "StopTransaction",
        {"transactionId": 7, "idTag": "04A1B2C3D4E5F6", "meterStop": 9100, "timestamp": "2026-11-22T09:00:00Z"},
    ),
    (
        "StopTransaction",
        {
            "transactionId": -1,
            "meterStop": "9100",
            "timestamp": "1970-01-01T00:00:00Z",
            "reason": "PowerLoss",
            "transactionData": [
                {
                    "timestamp": "2026-11-22T08:30:00Z",
                    "sampledValue": [{"value": "5000", "context": "Transaction.End", "unit": "Wh"}],
                }
            ],
        },
    ),
    (
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": 7,
            "meterValue": [
                {
                    "timestamp": "2026-11-22T08:10:00Z",
                    "sampledValue": [
                        {"value": "1500", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                        {"value": "9.5", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
                        {"value": "9,4", "measurand": "Current.Import", "phase": "L2", "unit": "A"},
                        {"value": "9.6", "measurand": "Current.Import", "phase": "L3", "unit": "A"},
                        {"value": "28.5", "measurand": "Current.Import", "unit": "A"},
                        {"value": "6.5", "measurand": "Power.Active.Import", "unit": "kW"},
                        {"value": "231", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
                        {"value": "36", "measurand": "Temperature", "unit": "Celcius"},
                    ],
                }
            ],
        },
    ),
    ("MeterValues", {"connectorId": 0, "meterValue": [{"timestamp": "2026-11-22T08:10:00Z", "sampledValue": []}]}),
    ("MeterValues", {"connectorId": 1, "meterValue": {"sampledValue": {"value": 1500}}}),
]

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    -(2**63),
    10**30,
    1e308,
    -1e-320,
    0.1,
    "",
    "x",
    "NaN",
    "inf",
    "1e400",
    "12,3",
    "\x00",
    "A\x00B",
    "\x01\x1b[31m\x7f",
    "\ud800",
    "\u202e",
    "٣",
    "9" * 5000,
    "x" * 3000,
    [],
    {},
    [[[]]],
    {"": {"": None}},
    ["x"] * 50,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:60+99:99",
    "2026-11-22T08:00:00.123456789Z",
    "'; DROP TABLE stations_station; --",
    "<script>alert(1)</script>",
]
LITERALS = ["NaN", "Infinity", "-Infinity", "1e999", "-0", "9" * 400, "1E+4000", "0x10", "'1'", "\t", "truE"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is sent: text, bytes (a binary frame) or parts (a fragmented text frame)."""

    kind: str
    content: str | bytes | list[str]

    @property
    def text(self) -> str:
        """Return what arrives, as text."""
        if isinstance(self.content, bytes):
            return self.content.decode(errors="replace")
        return self.content if isinstance(self.content, str) else "".join(self.content)


@dataclass(frozen=True, slots=True)
class Promise:
    """A call that must be answered with a CALLRESULT; `mark` is the number that was put into its payload."""

    action: str
    message_id: str
    mark: int | None


def promised(text: str) -> Promise | None:
    """Say what must come of a frame: a Start, Stop or MeterValues that can be read is never refused."""
    try:
        frame = json.loads(text)
        kind, message_id, action, payload = frame[:4]
        str(message_id).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if isinstance(message_id, bool) or not isinstance(message_id, str | int) or isinstance(kind, bool):
        return None
    if kind != 2 or action not in KEPT_ACTIONS or not isinstance(frame, list) or not isinstance(payload, dict):
        return None
    mark = payload.get("mark")
    return Promise(action, str(message_id), mark if type(mark) is int else None)


class Hostile:
    """An endless row of frames; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._number = 0
        self._transactions = [7]
        self._kinds: list[tuple[int, str, Callable[[], Frame]]] = [
            (1500, "recorded", self._recorded),
            (1500, "wrong types", self._wrong_types),
            (2500, "bytes flipped", self._flipped),
            (1200, "cut short", self._cut_short),
            (500, "literals", self._literals),
            (400, "keys twice", self._keys_twice),
            (300, "reused id", self._reused_id),
            (1200, "answers", self._answer),
            (1000, "random text", self._random_text),
            (500, "binary", self._binary),
            (200, "fragments", self._fragments),
            (200, "odd arrays", self._odd_array),
            (100, "empty", lambda: Frame("empty", "" if self._chance.random() < 0.5 else b"")),
            (20, "deep", self._deep),
            (10, "1 MiB", self._huge),
            (2, "many samples", self._many_samples),
        ]

    def learn(self, transaction_id: int) -> None:
        """Take a transaction's number, to speak of it later."""
        self._transactions = [*self._transactions[-20:], transaction_id]

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames for ever."""
        weights = [weight for weight, _, _ in self._kinds]
        while True:
            _, _, make = self._chance.choices(self._kinds, weights)[0]
            yield make()

    def _call(self) -> list[Any]:
        """Make a sound call out of a recorded one, with times and numbers of its own."""
        self._number += 1
        action, recorded = self._chance.choice(RECORDED)
        payload = copy.deepcopy(recorded)
        payload["mark"] = self._number
        if "transactionId" in payload and self._chance.random() < 0.7:
            payload["transactionId"] = self._chance.choice(self._transactions)
        if "meterStart" in payload:
            payload["meterStart"] = self._number
        if "connectorId" in payload and self._chance.random() < 0.3:
            payload["connectorId"] = self._chance.randrange(10_000)
        return [2, f"h{self._number}", action, payload]

    def _recorded(self) -> Frame:
        return Frame("recorded", json.dumps(self._call(), ensure_ascii=False))

    def _wrong_types(self) -> Frame:
        """Put something odd in the place of one to three fields, wherever they are."""
        call = self._call()
        for _ in range(self._chance.randint(1, 3)):
            self._spoil(call[3])
        return Frame("wrong types", json.dumps(call))

    def _spoil(self, part: Any) -> None:
        """Replace one value, or add one, somewhere in an object or list."""
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                return
            key = self._chance.choice(keys)
            if isinstance(part[key], dict | list) and part[key] and self._chance.random() < 0.7:
                part = part[key]
                continue
            if key != "mark":
                part[key] = copy.deepcopy(self._chance.choice(ODD))
            return

    def _flipped(self) -> Frame:
        """Change one to four characters; the message id stays, so that it is nobody else's."""
        text = list(json.dumps(self._call()))
        beyond_id = text.index(",", 4)
        letters = [*map(chr, range(128)), "é", "€", "😀"]
        for _ in range(self._chance.randint(1, 4)):
            text[self._chance.randrange(beyond_id, len(text))] = self._chance.choice(letters)
        return Frame("bytes flipped", "".join(text))

    def _cut_short(self) -> Frame:
        text = json.dumps(self._call())
        return Frame("cut short", text[: self._chance.randrange(len(text))])

    def _literals(self) -> Frame:
        """Write literals that are no JSON where a value was."""
        call = self._call()
        call[3][self._chance.choice([key for key in call[3] if key != "mark"] or ["x"])] = "@"
        return Frame("literals", json.dumps(call).replace('"@"', self._chance.choice(LITERALS), 1))

    def _keys_twice(self) -> Frame:
        call = self._call()
        first, last = json.dumps(call[3]), json.dumps(dict.fromkeys(call[3], self._chance.choice(ODD)) | call[3])
        return Frame("keys twice", json.dumps(call)[: -len(first) - 1] + last[:-1] + ", " + first[1:] + "]")

    def _reused_id(self) -> Frame:
        call = self._call()
        call[1] = self._chance.choice(["same", self._number, "x" * 300])
        call[1] = call[1] if isinstance(call[1], int) else f"{call[1]} {call[2]}"
        return Frame("reused id", json.dumps(call))

    def _answer(self) -> Frame:
        """Answer what was never asked."""
        frame = [self._chance.choice([3, 4]), self._chance.choice(["0", "x" * 2000, "h1", 5]), self._chance.choice(ODD)]
        return Frame("answers", json.dumps(frame))

    def _random_text(self) -> Frame:
        length = self._chance.choice([1, 5, 50, 500])
        return Frame("random text", "".join(chr(self._chance.randrange(1, 0xD800)) for _ in range(length)))

    def _binary(self) -> Frame:
        """Send a sound call as a binary frame, or plain rubbish."""
        if self._chance.random() < 0.5:
            return Frame("binary", json.dumps(self._call()).encode())
        return Frame("binary", self._chance.randbytes(self._chance.randrange(1, 200)))

    def _fragments(self) -> Frame:
        text = json.dumps(self._call())
        size = self._chance.randint(1, 40)
        return Frame("fragments", [text[start : start + size] for start in range(0, len(text), size)])

    def _odd_array(self) -> Frame:
        """Make a JSON document that is no call."""
        document = self._chance.choice([[2], [2, "odd"], [2, None, "Heartbeat", {}], {}, 5, [[2]], *ODD])
        return Frame("odd arrays", json.dumps(document))

    def _deep(self) -> Frame:
        """Nest beyond what any parser follows, and within."""
        call, levels = self._call(), self._chance.choice([30, 500, 2000, 100_000])
        opening, closing = self._chance.choice([("[", "]"), ('{"a":', "}")])
        call[3]["extra"] = "@"
        nested = opening * levels + "1" + closing * levels
        return Frame("deep", json.dumps(call).replace('"@"', nested, 1))

    def _huge(self) -> Frame:
        """Fill a frame to 1 MiB: a long string, many keys, many empty lists, or an unknown action."""
        call = self._call()
        shape = self._chance.randrange(4)
        if shape == 0:
            call[3][self._chance.choice([key for key in call[3] if key != "mark"] or ["x"])] = "x\x00" * (MIB // 14)
        elif shape == 1:
            call[3] |= {f"key {number}": number for number in range(MIB // 25)}
        elif shape == 2:
            call[3]["extra"] = [[]] * (MIB // 5)
        else:
            call[2] = "A" * (MIB - 200)
        text = json.dumps(call)
        return Frame("1 MiB", text + " " * (MIB - len(text)))

    def _many_samples(self) -> Frame:
        """Report 100,000 measurements in one message: of one moment, or of 10,000 moments."""
        call = self._call()
        moments = self._chance.choice([1, 10_000])
        values = [{"value": str(number)} for number in range(100_000 // moments)]
        times = [f"2026-11-22T{h:02}:{m:02}:{s:02}Z" for h in range(5) for m in range(60) for s in range(60)]
        meter_value = [{"timestamp": at, "sampledValue": values} for at in times[:moments]]
        call[2] = self._chance.choice(["MeterValues", "StopTransaction"])
        key = "meterValue" if call[2] == "MeterValues" else "transactionData"
        number = self._chance.choice(self._transactions)
        call[3] = {"connectorId": 1, "transactionId": number, "mark": self._number, key: meter_value}
        return Frame("many samples", json.dumps(call, separators=(",", ":")))
