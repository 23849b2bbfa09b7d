"""Search for meters: hosts over Modbus TCP, serial lines over Modbus RTU. A second at a time: other work goes on."""

import ipaddress
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from serial.tools.list_ports import comports

from energy.meters.base import MeterError, MeterUnreachable
from energy.meters.detect import recognise
from energy.meters.modbus import DEFAULT_PORT, ModbusLine, SerialEndpoint, is_same_line, line_of, parse_url
from energy.models import Meter, MeterSearch, SearchState

SLICE_S = 1.0
STALLED_AFTER_S = 30.0
HOSTS_MAX = 1024
DOING_MAX = 200  # characters
TCP_TIMEOUT_S, SERIAL_TIMEOUT_S = 0.4, 0.25
GAP_S = 0.1  # some meters restart when requests follow each other without a pause
STEP_GAP_S = 0.03  # a closed port costs a few packets: about 100 of them a second
# As TCP meters are delivered, and those that registers.yaml names for SunSpec devices.
TCP_UNITS = (1, 255, 0, 2, 3, 71, 240)
# Speeds and parities that meters are delivered with, the most frequent first; one stop bit.
SERIAL_SETTINGS = ((9600, "N"), (19200, "E"), (9600, "E"), (19200, "N"), (38400, "N"), (115200, "N"))
FREQUENT_SETTINGS = 3
USUAL_UNITS, ALL_UNITS = range(1, 11), range(1, 248)


@dataclass(frozen=True, slots=True)
class Step:
    """One connection and the unit that is looked for over it; `patience` as for `recognise`."""

    url: str
    unit: int
    patience: int

    @property
    def port(self) -> str | None:
        """Name the serial device; None for a host."""
        endpoint = parse_url(self.url)
        return endpoint.path if isinstance(endpoint, SerialEndpoint) else None


def plan_search(hosts: Sequence[str], ports: Sequence[str]) -> list[Step]:
    """List the steps of a search: hosts (addresses such as tcp://192.168.1.20:502), then serial devices."""
    on_hosts = [Step(url, unit, patience=2) for url in hosts for unit in TCP_UNITS]
    return on_hosts + [step for port in ports for step in _on_line(port)]


def _on_line(port: str) -> Iterator[Step]:
    """List the steps on a serial line: the usual unit numbers at every speed, then all others at the frequent ones."""
    urls = [f"serial://{port}?baud={baud}&parity={parity}&stop=1" for baud, parity in SERIAL_SETTINGS]
    for unit in USUAL_UNITS:
        for url in urls:
            yield Step(url, unit, patience=3)
    for unit in ALL_UNITS:
        if unit not in USUAL_UNITS:
            for url in urls[:FREQUENT_SETTINGS]:
                yield Step(url, unit, patience=1)


def hosts_of(text: str) -> list[str]:
    """Read hosts and networks (192.168.1.20, meter.lan:1502, 192.168.1.0/24) into the addresses of meters.

    Raises ValidationError.
    """
    urls: dict[str, None] = {}
    for part in re.split(r"[\s,;]+", text.strip()):
        if part:
            urls.update(dict.fromkeys(_network(part) if "/" in part else [_host(part)]))
        if len(urls) > HOSTS_MAX:
            raise ValidationError(_too_many(part))
    return list(urls)


def _network(part: str) -> list[str]:
    try:
        network = ipaddress.IPv4Network(part, strict=False)
    except ValueError:
        raise ValidationError(_("“%(part)s” is no network: write it like 192.168.1.0/24.") % {"part": part}) from None
    if not network.is_private:
        message = _("%(part)s is not a network of the building: only private networks are searched.")
        raise ValidationError(message % {"part": part})
    if network.num_addresses > HOSTS_MAX:
        raise ValidationError(_too_many(part))
    return [f"tcp://{address}:{DEFAULT_PORT}" for address in network.hosts()]


def _too_many(part: str) -> str:
    message = _("At most %(number)d addresses are searched at once: %(part)s is too many. Search a part of them.")
    return message % {"number": HOSTS_MAX, "part": part}


def _host(part: str) -> str:
    try:
        endpoint = parse_url(f"tcp://{part}")
    except MeterError:
        message = _("“%(part)s” is no address: write it like 192.168.1.20, meter.lan or 192.168.1.20:502.")
        raise ValidationError(message % {"part": part}) from None
    return f"tcp://{part}" if getattr(endpoint, "port", None) else f"tcp://{part}:{DEFAULT_PORT}"


def own_network() -> str:
    """Give the network of this machine's way out, 254 addresses of it; empty where there is none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that is nobody's
            own = probe.getsockname()[0]
        except OSError:
            return ""
    network = ipaddress.IPv4Network(f"{own}/24", strict=False)
    return str(network) if network.is_private and not network.is_loopback else ""


def serial_ports() -> list[str]:
    """List the serial devices of this machine."""
    return sorted(port.device for port in comports())


def is_stalled(search: MeterSearch) -> bool:
    """Say whether a search that runs has not been heard of: what carried it is gone."""
    if search.state != SearchState.RUNNING:
        return False
    return search.heard_at is None or (timezone.now() - search.heard_at).total_seconds() > STALLED_AFTER_S


def start_search(*, hosts: str, ports: list[str]) -> None:
    """Begin a new search and have the worker do it; raises ValidationError with what keeps it from beginning."""
    run = begin_search(hosts=hosts, ports=ports)
    if run is None:
        return
    try:
        current_app.send_task("energy.tasks.search_meters", args=(run,), retry=False)
    except OperationalError:
        stop_search(run=run)
        message = _("The search could not begin: the broker does not answer. Try again in a minute.")
        raise ValidationError(message) from None


@transaction.atomic
def begin_search(*, hosts: str, ports: list[str]) -> int | None:
    """Keep that a search runs; returns its number, None while another one does. Raises ValidationError."""
    steps = plan_search(hosts_of(hosts), ports)
    if not steps:
        raise ValidationError(_("Say where to search: an address, a network or a serial line."))
    search = MeterSearch.get_solo()
    if search.state == SearchState.RUNNING and not is_stalled(search):
        return None
    run = search.run + 1
    begun = MeterSearch.objects.filter(pk=search.pk, run=search.run).update(
        run=run,
        state=SearchState.RUNNING,
        hosts=hosts,
        ports=ports,
        done=0,
        total=len(steps),
        doing=steps[0].url[:DOING_MAX],
        found=[],
        left_out=[],
        heard_at=timezone.now(),
    )
    return run if begun else None


def stop_search(*, run: int) -> None:
    """End this search, if it is the one that runs; what it found stays."""
    MeterSearch.objects.filter(run=run, state=SearchState.RUNNING).update(state=SearchState.STOPPED, doing="")


def search_on(*, run: int) -> bool:
    """Go on with a search for about a second; False when it is over or was stopped."""
    running = MeterSearch.objects.filter(run=run, state=SearchState.RUNNING)
    search = running.first()
    if search is None:
        return False
    steps = plan_search(hosts_of(search.hosts), search.ports)
    in_use = Meter.get_solo()
    line_in_use = line_of(in_use.url) if in_use.is_present else frozenset()
    until = time.monotonic() + SLICE_S
    while search.done < len(steps) and running.exists():
        url, goes_on = steps[search.done].url, _take(steps[search.done], search, line_in_use)
        search.done += 1
        while not goes_on and search.done < len(steps) and steps[search.done].url == url:
            search.done += 1
        if time.monotonic() >= until:
            break
    is_over = search.done >= len(steps)
    is_wanted = running.update(
        state=SearchState.FINISHED if is_over else SearchState.RUNNING,
        done=search.done,
        doing="" if is_over else steps[search.done].url[:DOING_MAX],
        found=search.found,
        left_out=search.left_out,
        heard_at=timezone.now(),
    )
    return bool(is_wanted) and not is_over


def _take(step: Step, search: MeterSearch, line_in_use: frozenset[tuple[str, int]]) -> bool:
    """Take one step, and note what came of it; False where nothing more is to be asked at this address.

    The line that the loop uses is left alone.
    """
    where = step.port or step.url
    if any(entry["where"] == where for entry in search.left_out) or _is_settled(step, search):
        return False
    if not line_in_use.isdisjoint(line_of(step.url)):
        search.left_out.append({"where": where, "is_in_use": True})
        return False
    try:
        entry = look(step)
    except MeterUnreachable:
        if step.port:
            search.left_out.append({"where": where, "is_in_use": False})
        else:
            time.sleep(STEP_GAP_S)
        return False
    if not step.port:
        time.sleep(GAP_S)
    return entry is None or _note(entry, step, search)


def _note(entry: dict[str, Any], step: Step, search: MeterSearch) -> bool:
    """Keep what answered; says as `_take` whether to go on.

    A host is one meter, which often answers to every unit number: the first that is recognised ends it. Of what speaks
    Modbus and is not recognised the first is kept.
    """
    is_host, is_recognised = step.port is None, bool(entry["model"])
    if is_host and is_recognised:
        search.found = [known for known in search.found if known["url"] != step.url]
    if not is_host or all(known["url"] != step.url for known in search.found):
        search.found.append(entry)
    return not (is_host and is_recognised)


def _is_settled(step: Step, search: MeterSearch) -> bool:
    """Say whether a meter was found on this serial line with other settings: a line has one speed."""
    if step.port is None:
        return False
    found = [entry["url"] for entry in search.found if entry["model"] and is_same_line(entry["url"], step.url)]
    return bool(found) and step.url not in found


def look(step: Step) -> dict[str, Any] | None:
    """Look for a meter; None where nothing answers. Raises MeterUnreachable where the connection cannot be opened."""
    is_serial = step.port is not None
    line = ModbusLine(step.url, timeout_s=SERIAL_TIMEOUT_S if is_serial else TCP_TIMEOUT_S, gap_s=GAP_S, quiet_s=GAP_S)
    try:
        line.open()
        answer = recognise(partial(line.fetch, step.unit), patience=step.patience)
    finally:
        line.close()
    if answer is None:
        return None
    model = answer.map.id if answer.map else ""
    return {"url": step.url, "unit": step.unit, "model": model, "label": answer.label}
