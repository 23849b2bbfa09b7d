"""How a station stands with its operator, in words: what it is, why, and what that means."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from stations.cpo.causes import Cause
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


def link_in_words(link: CpoLink | None, queue: dict[str, Any]) -> dict[str, Any]:
    """Return state, cause and queue of a link for a page; None: the station has no operator."""
    if link is None:
        return {"code": "disabled", "state": _("Not connected"), "cause": "", **queue}
    waiting = queue.get("waiting", 0)
    is_retrying = bool(waiting) and (link.state == LinkState.UNREACHABLE or queue.get("refused"))
    state = _("Trying again") if is_retrying else link.get_state_display()
    cause = str(CAUSES[Cause(link.cause)]) if link.cause in CAUSES else ""
    detail = f" ({link.detail})" if cause and link.detail else ""
    return {"code": link.state, "state": state, "cause": f"{cause}{detail}", "changed_at": link.changed_at, **queue}
