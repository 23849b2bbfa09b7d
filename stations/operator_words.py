"""How a station stands with its operator, in words: what it is, why, and what that means."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from stations.cpo.causes import Cause
from stations.cpo.outbox import NO_ANSWER, WAITS_FOR_START
from stations.models import CpoLink, LinkState

CAUSES = {
    Cause.NOT_HEARD: gettext_lazy("The station itself has not connected yet."),
    Cause.NAME: gettext_lazy("Its name is not known. Check the address, and the name server of this machine."),
    Cause.REFUSED: gettext_lazy("Nobody listens there. Check the address and the port."),
    Cause.TIMEOUT: gettext_lazy("It does not answer. Check the address and the firewall."),
    Cause.CERTIFICATE: gettext_lazy(
        "Its certificate is not trusted. Nothing was sent. Ask the operator for its authority."
    ),
    Cause.TLS: gettext_lazy("No secure connection could be agreed. Check that the address begins with wss://."),
    Cause.REDIRECT: gettext_lazy(
        "It leads to another address, which is not followed. Enter that one if it is the operator's."
    ),
    Cause.PASSWORD: gettext_lazy("It refuses the password or the identity."),
    Cause.IDENTITY: gettext_lazy("It does not know this identity, or the address is not complete."),
    Cause.HTTP: gettext_lazy("It refuses the connection."),
    Cause.PROTOCOL: gettext_lazy("It does not speak OCPP 1.6."),
    Cause.CLOSED: gettext_lazy("It closed the connection."),
    Cause.SILENT: gettext_lazy("It stopped answering."),
    Cause.NONSENSE: gettext_lazy("It answers what OCPP 1.6 does not know."),
    Cause.ADDRESS: gettext_lazy("The address is not one of an OCPP server."),
    Cause.AUTHORITY: gettext_lazy("The certificate authority that was entered cannot be read."),
    Cause.KEY: gettext_lazy("The password was sealed with another key. Enter it again."),
    Cause.NETWORK: gettext_lazy("The network does not lead there."),
}


ANSWERS = {
    LinkState.PENDING: gettext_lazy("It has not released this station yet. Ask the operator when it will."),
    LinkState.REJECTED: gettext_lazy("It does not want this station. Ask the operator whether the identity is right."),
}
CHIPS = {
    "disabled": ("", "free"),
    LinkState.CONNECTING: ("", "operators"),
    LinkState.UNREACHABLE: ("fault", "fault"),
    LinkState.PENDING: ("held_back", "held_back"),
    LinkState.REJECTED: ("fault", "fault"),
    LinkState.ACCEPTED: ("operational", "operational"),
}
"""How a state is drawn: the chip's meaning, and its icon."""


def link_in_words(link: CpoLink | None, queue: dict[str, Any]) -> dict[str, Any]:
    """Return state, cause, meaning and queue of a link for a page; None: the station has no operator."""
    if link is None:
        return {"chip": CHIPS["disabled"], "state": _("Not connected"), **queue}
    waiting = queue.get("waiting", 0)
    is_retrying = bool(waiting) and (link.state == LinkState.UNREACHABLE or queue.get("refused"))
    state, linked = _("Trying again") if is_retrying else link.get_state_display(), LinkState(link.state)
    cause = str(CAUSES[Cause(link.cause)]) if link.cause in CAUSES else str(ANSWERS.get(linked, ""))
    detail = f" ({link.detail})" if cause and link.detail else ""
    return {
        "chip": CHIPS[linked],
        "state": state,
        "cause": f"{cause}{detail}",
        "meaning": "" if linked == LinkState.ACCEPTED else _meaning(link),
        "changed_at": link.changed_at,
        **queue,
    }


def _meaning(link: CpoLink) -> str:
    """Say what it means for charging that an operator cannot be asked."""
    text = _("Cars that charge go on, and what the operator must hear is kept. Who may begin meanwhile: %(who)s.")
    return text % {"who": link.server.get_offline_policy_display()}


def error_in_words(error: str) -> str:
    """Return the last answer to a message for a page; what the operator said is left as it is."""
    if error == WAITS_FOR_START:
        return _("Waits for the start of its transaction, which was set aside.")
    if error.startswith(NO_ANSWER):
        cause, _space, detail = error.removeprefix(NO_ANSWER).partition(" ")
        words = str(CAUSES[Cause(cause)]) if cause in CAUSES else ""
        return " ".join(part for part in (_("No answer."), words, f"({detail})" if detail else "") if part)
    return error
