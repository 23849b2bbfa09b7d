"""The sides of a case with an operator's server behind the load manager: it orders, and hears of what is kept."""

import asyncio
from datetime import datetime

from tests.certification.cpo import Cpo, breaches
from tests.certification.installation import BLOCKED, EXPIRED, SECOND, VALID
from tests.certification.operator import Operator
from tests.certification.station import Station

PROGRESS = {
    "diagnostics": "DiagnosticsStatusNotification",
    "firmware": "FirmwareStatusNotification",
    "log": "LogStatusNotification",
    "signed_firmware": "SignedFirmwareStatusNotification",
}
PARENT = "C0DEPARENT"
BADGES = {
    VALID: {"status": "Accepted", "parentIdTag": PARENT},
    SECOND: {"status": "Accepted", "parentIdTag": PARENT},
    EXPIRED: {"status": "Expired"},
    BLOCKED: {"status": "Blocked"},
}


def identity_here(case):
    """Return what a case's station calls itself: the one without an operator has the number alone."""
    return f"{case.identity}_CPO"


def identity_there(identity):
    """Return what the operator calls a station."""
    return f"FR*LLM*{identity}"


def site(cases, port):
    """Return the site: each station has an operator of its own, so that none knows what another was told of badges."""
    servers = [f"  - {{name: op-{case.number}, url: 'ws://127.0.0.1:{port}/ocpp'}}" for case in cases]
    stations = [
        f"  - {{identity: {identity_here(case)}, cpo: {{server: op-{case.number}, enabled: true,"
        f" identity: '{identity_there(identity_here(case))}'}}}}"
        for case in cases
    ]
    return "\n".join(["cpo_servers:", *servers, "stations:", *stations, ""])


async def play_all(cases, product, token, authority):
    """Play cases at the same time; returns what each came to: None, or what went wrong."""
    async with Cpo(BADGES) as cpo:
        await asyncio.to_thread(product.apply, site(cases, cpo.port))

        async def play(case):
            station = StationBehind(cpo, identity_here(case), url=product.url, tls_url="", authority=authority)
            operator = OperatorBehind(product, token, station, cpo)
            try:
                await case.play(station, operator)
                await operator.finish()
            finally:
                await station.leave()

        return await asyncio.gather(*(play(case) for case in cases), return_exceptions=True)


class StationBehind(Station):
    """A station that goes on after a boot when the operator has heard of it, too, and has accepted it."""

    def __init__(self, cpo, identity, **rest):
        super().__init__(identity, **rest)
        self._cpo, self.said = cpo, []

    async def ask(self, action, **payload):
        self.said.append((action, payload))
        return await super().ask(action, **payload)

    async def boot(self, **more):
        heard = self._cpo.heard[identity_there(self.identity)]
        since = len(heard)
        answer = await super().boot(**more)
        wanted = {"chargePointVendor": "Strict", "chargePointModel": "Case", **more}

        def was_told():
            boots = [payload for action, payload, _answer in heard[since:] if action == "BootNotification"]
            went_on = any(action == "StatusNotification" for action, _payload, _answer in heard)
            return went_on and any(wanted.items() <= payload.items() for payload in boots)

        await self._cpo.until(was_told, True)
        return answer


class OperatorBehind(Operator):
    """Gives orders as the operator's server does. What is read must stand at the load manager and at the operator."""

    def __init__(self, product, token, station, cpo):
        super().__init__(product, token, station)
        self._cpo, self.identity = cpo, identity_there(station.identity)

    # --- orders

    async def ask(self, action, payload):
        """Ask something in the operator's own numbers and return the answer."""
        return await self.ask_as_it_is(action, self._in_its_numbers(payload))

    async def ask_as_it_is(self, action, payload):
        """Ask something, whatever the numbers in it, and return the answer."""
        return await self._cpo.ask(self.identity, action, payload)

    def _in_its_numbers(self, part):
        """Put the operator's number of the transaction in the place of the load manager's."""
        if "csChargingProfiles" in part:
            return part | {"csChargingProfiles": self._in_its_numbers(part["csChargingProfiles"])}
        if "transactionId" not in part:
            return part
        ((_payload, answer),) = self.heard("StartTransaction")
        return part | {"transactionId": answer["transactionId"]}

    async def order(self, action, payload, answer, _outcome="accepted"):
        """Ask something of the station, which answers so; the order must arrive as it was given, and the answer too."""
        self._station.expect(action, payload, answer)
        said = await self.ask(action, payload)
        assert said == answer
        assert self._station.expected == [], f"{action} did not arrive as it was given: {self._station.asked}"

    async def order_here(self, action, payload):
        """Ask something that the load manager answers without the station, and return what it answers."""
        since, sent = len(self._station.asked), self._in_its_numbers(payload)
        said = await self.ask_as_it_is(action, sent)
        assert (action, sent) not in self._station.asked[since:], f"{action} reached the station"
        return said

    # --- what the operator heard

    def heard(self, action):
        """Return what it was told by an action, with what it answered."""
        return [(payload, answer) for name, payload, answer in self._cpo.heard[self.identity] if name == action]

    async def hears(self, action, count):
        """Wait until it was told something so many times, and return what it was told last."""
        await self._cpo.until(lambda: len(self.heard(action)) >= count, True)
        return self.heard(action)[-1][0]

    async def connector(self):
        kept = await super().connector()
        error = kept["error_code"].partition(" ")[0] or "NoError"
        await self._cpo.until(self._state_told, (kept["status"], error))
        return kept

    def _state_told(self):
        told = [payload for payload, _answer in self.heard("StatusNotification") if payload["connectorId"] == 1]
        return (told[-1]["status"], told[-1]["errorCode"]) if told else None

    async def progress(self, kind):
        status = await super().progress(kind)
        await self._cpo.until(lambda: [payload["status"] for payload, _ in self.heard(PROGRESS[kind])][-1:], [status])
        return status

    async def transactions(self):
        kept = await super().transactions()
        wanted = [_as_kept(transaction) for transaction in reversed(kept)]
        await self._cpo.until(self._transactions_told, wanted)
        return kept

    def _transactions_told(self):
        stops = {payload["transactionId"]: payload for payload, _answer in self.heard("StopTransaction")}
        return [
            _as_told(start, answer, stops.get(answer["transactionId"]))
            for start, answer in self.heard("StartTransaction")
        ]

    async def finish(self):
        """Check that it was told all there is to tell, and nothing that a charge point may not say."""
        await self.transactions()
        badges = [payload for action, payload in self._station.said if action == "Authorize"]
        assert [payload for payload, _answer in self.heard("Authorize")] == badges
        assert self._cpo.faults[self.identity] + breaches(self._cpo.heard[self.identity]) == []


def _as_kept(transaction):
    """Return what an operator must know of a transaction as the load manager keeps it."""
    known = {name: transaction[name] for name in ("id_tag", "reservation_id", "is_authorised")}
    known["started_at"] = datetime.fromisoformat(transaction["started_at"])
    if transaction["stopped_at"]:
        known["stopped_at"] = datetime.fromisoformat(transaction["stopped_at"])
        known |= {name: transaction[name] for name in ("energy_wh", "stop_reason")}
    return known


def _as_told(start, answer, stop):
    """Return the same of a transaction as the operator was told it."""
    known = {
        "id_tag": start["idTag"],
        "reservation_id": start.get("reservationId"),
        "is_authorised": answer["idTagInfo"]["status"] == "Accepted",
        "started_at": datetime.fromisoformat(start["timestamp"]),
    }
    if stop is not None:
        known |= {
            "stopped_at": datetime.fromisoformat(stop["timestamp"]),
            "energy_wh": stop["meterStop"] - start["meterStart"],
            "stop_reason": stop.get("reason", "Local"),
        }
    return known
