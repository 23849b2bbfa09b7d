"""The sentences for the reasons of the kernel and the controller, in the visitor's language."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext_lazy, ngettext_lazy

from energy.allocation.model import ReasonCode

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

SENTENCES: "Mapping[str, StrPromise]" = {
    ReasonCode.LINE_FULL: ngettext_lazy("%(line)s fuse is full", "%(line)s fuse shared by %(shared_by)s", "shared_by"),
    ReasonCode.CIRCUIT_FULL: ngettext_lazy(
        "%(line)s of circuit %(circuit)s is full",
        "%(line)s of circuit %(circuit)s shared by %(shared_by)s",
        "shared_by",
    ),
    ReasonCode.STATIC_LIMIT: ngettext_lazy(
        "all of the fixed current on %(line)s",
        "fixed current on %(line)s shared by %(shared_by)s",
        "shared_by",
    ),
    ReasonCode.STATION_MAXIMUM: gettext_lazy("station maximum"),
    ReasonCode.CAR_TAKES_NO_MORE: gettext_lazy("car takes no more"),
    ReasonCode.OPERATOR_PROFILE: gettext_lazy("operator allows %(cap_a)s A at most"),
    ReasonCode.WIRING_CHECK: gettext_lazy("wiring check: %(cap_a)s A at most for a moment"),
    ReasonCode.WAITING: gettext_lazy("waiting: %(ahead)s ahead"),
    ReasonCode.RAMPING: gettext_lazy("rising soon to %(target_a)s A"),
    ReasonCode.STARTING: gettext_lazy("starting up: waits until every station has reported"),
    ReasonCode.METER_OLD: gettext_lazy("meter late: no increase"),
    ReasonCode.METER_SILENT: gettext_lazy("fail-safe: meter silent"),
    ReasonCode.NOT_CHARGING: gettext_lazy("not charging"),
    ReasonCode.PAUSED: gettext_lazy("paused: stays off for a minute"),
    ReasonCode.FAILED: gettext_lazy("fail-safe: fault of the load manager"),
    ReasonCode.DISCONNECTED: gettext_lazy("not connected: %(reserved_a)s A kept for it"),
    ReasonCode.FOLLOWING: gettext_lazy("was told less, still draws %(drawn_a)s A"),
    ReasonCode.IGNORES_LIMIT: gettext_lazy("does not obey: draws %(drawn_a)s A"),
    ReasonCode.TIME_TABLE: gettext_lazy("time table: %(limit_a)s A"),
    ReasonCode.EXTERNAL_LIMIT: gettext_lazy("limit of the energy manager: %(limit_a)s A"),
    ReasonCode.EXTERNAL_FALLBACK: gettext_lazy("the energy manager’s limit has run out: %(limit_a)s A"),
    ReasonCode.SOLAR_SURPLUS: gettext_lazy("solar surplus: no more now"),
    ReasonCode.WAITING_SURPLUS: gettext_lazy("waiting for solar surplus"),
    ReasonCode.UNBALANCE: gettext_lazy("unbalance: %(line)s %(above_a)s A above %(other)s"),
}
_WITH_END: "Mapping[str, StrPromise]" = {
    ReasonCode.TIME_TABLE: gettext_lazy("time table: %(limit_a)s A until %(until)s"),
    ReasonCode.EXTERNAL_LIMIT: gettext_lazy("limit of the energy manager: %(limit_a)s A until %(until)s"),
}
_NEXT = gettext_lazy("waiting: next in turn")
_NEXT_FOR_CIRCUIT = gettext_lazy("waiting: circuit %(circuit)s is full, next in turn")
_WAITING_FOR_CIRCUIT = gettext_lazy("waiting: circuit %(circuit)s is full, %(ahead)s ahead")


def explain(code: str, params: Mapping[str, Any]) -> str:
    """Put a stored reason into words; empty for no reason, the bare code for one of another version."""
    sentence = SENTENCES.get(code)
    if code == ReasonCode.WAITING:
        sentence = _waiting(params)
    elif params.get("until"):
        sentence = _WITH_END.get(code)
    if sentence is None:
        return code
    shown = {
        name: number_format(value, decimal_pos=1) if isinstance(value, float) else value
        for name, value in params.items()
    }
    if params.get("until"):
        shown["until"] = clock_of(datetime.fromisoformat(params["until"]))
    try:
        return sentence % shown
    except KeyError:
        return code


def _waiting(params: Mapping[str, Any]) -> "StrPromise":
    """Name the circuit that is full; none is named where that is the main fuse, or all stations together."""
    if params.get("circuit"):
        return _WAITING_FOR_CIRCUIT if params.get("ahead") else _NEXT_FOR_CIRCUIT
    return SENTENCES[ReasonCode.WAITING] if params.get("ahead") else _NEXT


def clock_of(moment: datetime) -> str:
    """Write a time, with its day where that is not today."""
    local = timezone.localtime(moment)
    return date_format(local, "H:i" if local.date() == timezone.localdate() else "SHORT_DATETIME_FORMAT")
