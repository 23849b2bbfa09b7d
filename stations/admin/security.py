"""The security of one station on a page, the certificates that were signed, and what stations report."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.admin_page import admin_page
from accounts.read_only import ReadOnlyAdmin
from stations.admin.chosen import is_number
from stations.admin.command_words import TITLES
from stations.certificates import authority
from stations.commanding import request_command
from stations.connections import withdraw_certificates
from stations.errors import CommandUnfit
from stations.models import Certificate, Command, SecurityEvent, SecurityProfile, Station
from stations.security import make_password, new_key

ROOT_FILE = "llm-root.pem"
LOOK_AGAIN_S = 2


def security_page(station_admin: ModelAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Show how a station is secured, and do what is asked; a password that was made is shown in the answer only."""
    password = ""
    if request.method == "POST":
        try:
            if "make_password" in request.POST:
                password = make_password(station_id=station.pk)
                station.refresh_from_db()
            else:
                sent = _send(station, request)
                return redirect(f"{request.path}?command={sent.pk}")
        except CommandUnfit as error:
            messages.error(request, str(error))
            return redirect(request.path)
    number = request.GET.get("command", "")
    command = station.commands.filter(pk=number).first() if is_number(number) else None
    context = {
        "station": station,
        "profile": SecurityProfile(station.security_profile).label,
        "wanted": _label(station.wanted_security_profile),
        "connection": _label(station.connection_profile),
        "certificates": station.certificates.all()[:10],
        "choices": [
            (profile.value, profile.label) for profile in SecurityProfile if profile > station.security_profile
        ],
        "command": command,
        "operation": "" if command is None else TITLES.get(command.action, command.action),
        "password": password,
    }
    title = _("Security of %(station)s") % {"station": station}
    response = admin_page(request, "stations/security.html", context, title=title, within=station_admin, shown=station)
    if command is not None and command.is_open and request.method == "GET":
        response["Refresh"] = str(LOOK_AGAIN_S)
    return response


def _label(profile: int | None) -> str:
    return "" if profile is None else str(SecurityProfile(profile).label)


def _send(station: Station, request: HttpRequest) -> Command:
    """Ask the station for what the pressed button stands for; raises CommandUnfit."""
    asked = request.POST
    if "raise_profile" in asked:
        change = {"key": "SecurityProfile", "value": asked.get("profile", "")}
        name, payload = "ChangeConfiguration", change
    elif "install_root" in asked:
        root = authority().certificate_pem
        name, payload = "InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": root}
    elif "ask_for_request" in asked:
        name, payload = "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
    elif "change_password" in asked:
        name, payload = "ChangeConfiguration", {"key": "AuthorizationKey", "value": new_key()}
    else:
        raise CommandUnfit(gettext("Nothing was chosen."))
    return request_command(
        station=station,
        action=name,
        payload=payload,
        user=request.user,  # type: ignore[arg-type]  # only users have the permission for this page
    )


@admin.register(Certificate)
class CertificateAdmin(ReadOnlyAdmin):
    """Client certificates that were signed for stations."""

    list_display = ["station", "common_name", "serial_number", "not_before", "not_after", "state", "answer"]
    list_select_related = ["station"]
    list_filter = ["state", "station"]
    search_fields = ["station__identity", "station__name", "common_name", "serial_number"]
    actions = ["withdraw"]
    actions_list = ["download_root"]

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        """Those who may change stations may withdraw their certificates."""
        return request.user.has_perm("stations.change_station")

    @admin.action(description=_("Withdraw"), permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> None:
        """Let the chosen certificates count no longer."""
        count = withdraw_certificates(certificate_ids=list(queryset.values_list("pk", flat=True)))
        text = ngettext("%(count)d certificate withdrawn.", "%(count)d certificates withdrawn.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @action(description=_("Download the root certificate"), url_path="root", permissions=["view"])  # type: ignore[untyped-decorator]
    def download_root(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's interface)
        """Give the load manager's root certificate."""
        response = HttpResponse(authority().certificate_pem, content_type="application/x-pem-file")
        response["Content-Disposition"] = f'attachment; filename="{ROOT_FILE}"'
        return response


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyAdmin):
    """What stations report of their security."""

    list_display = ["at", "station", "type", "tech_info", "received_at"]
    list_select_related = ["station"]
    list_filter = ["type", "station"]
    search_fields = ["station__identity", "station__name", "type", "tech_info"]
    date_hierarchy = "at"
