"""What the machine knows about its own clock (SPEC S4); it is only read, never set."""

import ctypes
import subprocess
from dataclasses import dataclass

from django.utils.translation import gettext as _

PROGRAM_TIMEOUT_S = 0.4
UNSYNCHRONISED, NANOSECONDS = 0x0040, 0x2000  # STA_UNSYNC and STA_NANO of adjtimex(2)


@dataclass(frozen=True, slots=True)
class MachineClock:
    """The state of the clock. `is_synchronised` is None where the machine does not say.

    `source` names what keeps it, in the visitor's language, empty where nothing is known. `offset_s` is what is still
    being corrected, `error_s` the most it may be wrong by; both None where not known.
    """

    is_synchronised: bool | None
    source: str
    offset_s: float | None = None
    error_s: float | None = None


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2) as far as it is read; the rest is room that the kernel fills."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def machine_clock() -> MachineClock:
    """Ask the kernel and, for the name of the source, the program that keeps the clock; never raises."""
    kernel = _kernel_clock()
    chrony = _answer("chronyc", "-c", "tracking").split(",")
    if len(chrony) > 4 and chrony[1]:
        return MachineClock(kernel.is_synchronised, f"chrony: {chrony[1]}", _number(chrony[4]), kernel.error_s)
    server = _answer("timedatectl", "show-timesync", "--property=ServerName", "--value")
    if server:
        return MachineClock(kernel.is_synchronised, f"systemd-timesyncd: {server}", kernel.offset_s, kernel.error_s)
    return kernel


def _kernel_clock() -> MachineClock:
    """Read the kernel's own state; a kernel without adjtimex knows nothing."""
    state = _Timex(modes=0)
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(state))
    except (AttributeError, OSError):
        answer = -1
    if answer < 0:
        return MachineClock(None, "")
    if state.status & UNSYNCHRONISED:
        return MachineClock(False, _("operating system"))
    unit_s = 1e-9 if state.status & NANOSECONDS else 1e-6
    return MachineClock(True, _("operating system"), state.offset * unit_s, state.maxerror * 1e-6)


def _answer(*command: str) -> str:
    """Return what a program printed; empty where it is not there, fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PROGRAM_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
