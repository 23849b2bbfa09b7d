"""How the makers of stations can be known: by what their stations announce, their host names, their MAC prefixes.

An announced service that only stations have, or a host name of their pattern, names a station. A MAC prefix never does:
makers build other things too, and many stations have the module of somebody else.
"""

import re
from dataclasses import dataclass

HAGER = "Hager"
HAGER_HOST = re.compile(r"hager-evcs-([0-9a-z]{6})", re.IGNORECASE)
ALFEN_HOST = re.compile(r"(?:.+-)?(ace[0-9a-z]{7})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Maker:
    """One maker: MAC prefixes (6, 7 or 9 hexadecimal digits), pattern of host names, DNS-SD types."""

    name: str
    prefixes: tuple[str, ...] = ()
    host_name: re.Pattern[str] | None = None
    services: tuple[str, ...] = ()


MAKERS = (
    Maker(HAGER, ("0024c6", "1cae3e3", "0c86297", "a0024ae"), HAGER_HOST),
    Maker("Alfen", ("549a119",), ALFEN_HOST, ("_alfen._tcp.local.", "_lolo3._http._tcp.local.")),
    Maker("go-e", ("98fc841",), re.compile(r"go-echarger_\d+", re.IGNORECASE)),
    Maker("KEBA", ("0060b5",)),
    Maker("Victron", ("c0619ab",), None, ("_victron-car-charger._tcp.local.",)),
    Maker("Tesla", ("dc44271", "98ed5c", "4cfcaa"), re.compile(r"teslawallconnector_.+", re.IGNORECASE)),
    Maker("Technove", (), None, ("_technove-stations._tcp.local.",)),
    Maker("ABL", ("b08bbe",)),
    Maker("Bender", ("e0aeb2",)),
    Maker("EVBox", ("7c8ac0",)),
    Maker("Webasto", ("6caf15",)),
    Maker("Mennekes", ("7c70bc8",)),
    Maker("Zaptec", ("6015924",)),
    Maker("wallbe", ("d05f644", "70b3d5543", "70b3d507b")),
    Maker("Phoenix Contact", ("00a045", "a8741d")),
    Maker("Circontrol", ("002645",)),
    Maker("Compleo", ("f81e6f",)),
    Maker("Garo", ("4c3b6c",)),
    Maker("CTEK", ("2cfce4",)),
    Maker("Vestel", ("0009df", "486dbb", "7054b4", "909877", "ccd3c1", "ecbe5f")),
    Maker("Autel", ("18d7936",)),
    Maker("Ecotap", ("4048fdc",)),
    Maker("Juice", ("787a6f",)),
)
# Not of stations alone, but with the host name and addresses of those that announce their pages.
COMMON_SERVICES = ("_http._tcp.local.", "_https._tcp.local.", "_ship._tcp.local.")
SERVICES = tuple(service for maker in MAKERS for service in maker.services) + COMMON_SERVICES


def maker_named(names: tuple[str, ...], services: tuple[str, ...]) -> Maker | None:
    """Return the maker of what its host names or services show to be a station; None where they do not."""
    for maker in MAKERS:
        if any(service in maker.services for service in services):
            return maker
        if maker.host_name and any(maker.host_name.fullmatch(name) for name in names):
            return maker
    return None


def maker_hinted(mac: str) -> Maker | None:
    """Return the maker to whom a MAC address (aa:bb:cc:dd:ee:ff) was given; what has it may be a station."""
    digits = mac.replace(":", "").lower()
    return next((maker for maker in MAKERS if digits and digits.startswith(maker.prefixes)), None)
