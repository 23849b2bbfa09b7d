"""What stations report, in a person's words; the API and the files keep OCPP's own."""

from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from stations.commanding import WITHDRAWN
from stations.models import Command, CommandState
from stations.ocpp16.commands import CANNOT_BE_LIMITED, NO_SMART_CHARGING, NOT_OBEYED
from stations.transactions import LOST

NO_ERROR = "NoError"
AWAY = "is not connected"  # ends what the state says in the visitor's language
PLAIN = frozenset({"Accepted", "Rejected"})  # answers that the state of a command says already
PROGRESS: dict[str, Any] = {  # OCPP 1.6 §7.20, §7.25; security whitepaper §5
    "BadMessage": gettext_lazy("the request was not understood"),
    "DownloadFailed": gettext_lazy("download failed"),
    "DownloadPaused": gettext_lazy("download paused"),
    "DownloadScheduled": gettext_lazy("download planned"),
    "Downloaded": gettext_lazy("downloaded"),
    "Downloading": gettext_lazy("downloading"),
    "Idle": gettext_lazy("nothing under way"),
    "InstallRebooting": gettext_lazy("restarting to install"),
    "InstallScheduled": gettext_lazy("installation planned"),
    "InstallVerificationFailed": gettext_lazy("installation could not be verified"),
    "InstallationFailed": gettext_lazy("installation failed"),
    "Installed": gettext_lazy("installed"),
    "Installing": gettext_lazy("installing"),
    "InvalidSignature": gettext_lazy("signature not valid"),
    "NotSupportedOperation": gettext_lazy("not supported"),
    "PermissionDenied": gettext_lazy("the server refused the file"),
    "SignatureVerified": gettext_lazy("signature verified"),
    "UploadFailed": gettext_lazy("upload failed"),
    "UploadFailure": gettext_lazy("upload failed"),
    "Uploaded": gettext_lazy("uploaded"),
    "Uploading": gettext_lazy("uploading"),
}
STOP_REASONS: dict[str, Any] = {  # OCPP 1.6 §7.36
    "DeAuthorized": gettext_lazy("badge refused"),
    "EVDisconnected": gettext_lazy("cable pulled"),
    "EmergencyStop": gettext_lazy("emergency stop"),
    "HardReset": gettext_lazy("hard reset"),
    "Local": gettext_lazy("stopped at the station"),
    "Other": gettext_lazy("another reason"),
    "PowerLoss": gettext_lazy("power cut"),
    "Reboot": gettext_lazy("station restarted"),
    "Remote": gettext_lazy("stopped from afar"),
    "SoftReset": gettext_lazy("soft reset"),
    "UnlockCommand": gettext_lazy("connector unlocked"),
    LOST: gettext_lazy("its end was not heard"),
}
ERRORS: dict[str, Any] = {  # OCPP 1.6 §7.6
    "ConnectorLockFailure": gettext_lazy("the connector cannot be locked"),
    "EVCommunicationError": gettext_lazy("no communication with the car"),
    "GroundFailure": gettext_lazy("earth fault"),
    "HighTemperature": gettext_lazy("too hot"),
    "InternalError": gettext_lazy("internal fault"),
    "LocalListConflict": gettext_lazy("its list of badges contradicts the load manager"),
    "OtherError": gettext_lazy("another fault"),
    "OverCurrentFailure": gettext_lazy("overcurrent"),
    "OverVoltage": gettext_lazy("overvoltage"),
    "PowerMeterFailure": gettext_lazy("its meter does not work"),
    "PowerSwitchFailure": gettext_lazy("its contactor does not work"),
    "ReaderFailure": gettext_lazy("its badge reader does not work"),
    "ResetFailure": gettext_lazy("it could not restart"),
    "UnderVoltage": gettext_lazy("undervoltage"),
    "WeakSignal": gettext_lazy("weak radio signal"),
}


def in_words(word: str, words: dict[str, Any]) -> str:
    """Put a word of OCPP into a person's; one that is not known stays."""
    return str(words.get(word, word))


def refusal_in_words(refusal: str) -> str:
    """Say in whole sentences what a station did with its last limit; empty where it keeps it."""
    if refusal.startswith(NO_SMART_CHARGING):
        return _("It cannot be limited: it does not know charging profiles. It counts at its maximum.")
    if refusal.startswith(CANNOT_BE_LIMITED):
        why = refusal.removeprefix(CANNOT_BE_LIMITED).removeprefix(": ")
        return _("It refuses every form of limit and counts at its maximum. Its answer: %(why)s") % {"why": why}
    if refusal.startswith(NOT_OBEYED):
        figures = refusal.rpartition(": ")[2]
        return _("It accepted the limit and does not keep it: %(figures)s. What it draws is counted.") % {
            "figures": figures.replace(" instead of ", " > ")
        }
    return _("It refused the last limit: %(why)s. The limit before still counts.") % {"why": refusal} if refusal else ""


def outcome_in_words(command: Command) -> str:
    """Say what became of a command: its state, and the station's own words where they add something."""
    if command.error_text == WITHDRAWN:
        return _("Withdrawn")
    state = str(command.get_state_display())
    if command.state == CommandState.TIMED_OUT or command.error_text.endswith(AWAY):
        return state
    status = (command.answer or {}).get("status", "")
    own_words = " ".join(filter(None, (command.error_code, command.error_text, "" if status in PLAIN else str(status))))
    return f"{state} · {own_words}" if own_words else state


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago something was, briefly."""
    minutes = max(0, int((now - moment).total_seconds() // 60))
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return _("%(count)d min ago") % {"count": minutes}
    if minutes < 48 * 60:
        return _("%(count)d h ago") % {"count": minutes // 60}
    days = minutes // (24 * 60)
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


def in_amperes(current_a: float) -> str:
    """Write a current, without its unit, with one decimal where it has any."""
    rounded = round(current_a, 1)
    return str(number_format(rounded, decimal_pos=0 if rounded.is_integer() else 1, use_l10n=True))
