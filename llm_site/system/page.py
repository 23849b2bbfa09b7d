"""The system pages, for administrators: health and facts, backups, restore, logs (SPEC S32)."""

import tempfile
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.addresses import client_address
from accounts.admin_page import admin_page
from llm_site.system import machine
from llm_site.system.archive import Backup, BackupRefused
from llm_site.system.forms import BackupForm, RestoreForm, UploadForm
from llm_site.system.health import check_health, overall
from llm_site.system.identity import host_name, uid
from llm_site.system.job import last_job, stop_job
from llm_site.system.kept_backups import (
    backup_path,
    can_restore,
    delete_backup,
    keep_upload,
    kept_backups,
    record_backup,
    request_backup,
    request_restore,
)
from llm_site.system.logs import write_logs
from stations.addresses import addresses, stations_at_lost_addresses
from stations.models import Transaction

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
COUNTED = (
    ("stations.station", gettext_lazy("Charging stations")),
    ("stations.transaction", gettext_lazy("Charging sessions")),
    ("badges.badge", gettext_lazy("Badges")),
    ("accounts.user", gettext_lazy("Users")),
    ("energy.reading", gettext_lazy("Readings")),
)


def administrators_only(view: View[P]) -> View[P]:
    """Let administrators in alone; a page that looks again by itself is sent to the sign-in page as a whole."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if getattr(request, "htmx", False) and not request.user.is_authenticated:
            return HttpResponse(headers={"HX-Redirect": f"{reverse('sign-in')}?next={request.path}"})
        return admin.site.admin_view(checked)(request, *args, **kwargs)

    def checked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not (request.user.is_active and request.user.is_superuser):
            raise PermissionDenied
        return never_cache(view)(request, *args, **kwargs)

    return cast(View[P], guarded)


@administrators_only
@require_GET
def system(request: HttpRequest) -> HttpResponse:
    """Show how every part does, again and again, and what the machine is."""
    parts = check_health()
    context: dict[str, Any] = {"parts": parts, "overall": overall(parts), "now": timezone.now()}
    if getattr(request, "htmx", False):
        return render(request, "llm_site/system_health.html", context)
    context |= {
        "uid": uid(),
        "machine_name": machine.machine_name(),
        "host_name": f"{host_name()}.local",
        "name_url": machine.name_url() if settings.MDNS else "",
        "addresses": addresses(),
        "lost": stations_at_lost_addresses(),
        "port": settings.PORT,
        "tls_port": settings.TLS_PORT if settings.TLS_CERT else None,
        "ocpp_addresses": machine.ocpp_addresses(),
        "machine_started_at": machine.machine_started_at(),
        "started_at": machine.STARTED_AT,
    }
    return admin_page(request, "llm_site/system.html", context, title=_("System settings"))


@administrators_only
@require_http_methods(["GET", "POST"])
def backups(request: HttpRequest) -> HttpResponse:
    """List the backups, make one, take one in, stop the one that is being made."""
    if getattr(request, "htmx", False):
        return render(request, "llm_site/system_job.html", {"job": last_job()})
    backup_form, upload_form = BackupForm(), UploadForm()
    if "stop" in request.POST:
        stop_job()
        return redirect("system-backups")
    try:
        if "make" in request.POST:
            backup_form = BackupForm(request.POST)
            if backup_form.is_valid():
                request_backup(passphrase=backup_form.cleaned_data["passphrase"])
                return redirect("system-backups")
        elif "upload" in request.POST:
            upload_form = UploadForm(request.POST, request.FILES)
            if upload_form.is_valid():
                return redirect("system-restore", keep_upload(upload_form.cleaned_data["file"]))
    except BackupRefused as error:
        form, field = (backup_form, "passphrase") if backup_form.is_bound else (upload_form, "file")
        form.add_error(field, str(error))
    context = {
        "backups": kept_backups(),
        "backup_form": backup_form,
        "upload_form": upload_form,
        "job": last_job(),
    }
    return admin_page(request, "llm_site/system_backups.html", context, title=_("Backups"))


@administrators_only
@require_GET
def download(request: HttpRequest, name: str) -> FileResponse:  # noqa: ARG001 (Django's interface)
    """Give one backup."""
    found = backup_path(name)
    if found is None:
        raise Http404("there is no such backup")
    record_backup(name, note=gettext_noop("A backup was downloaded."))
    return FileResponse(found.open("rb"), as_attachment=True, filename=name)


@administrators_only
@require_POST
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Delete one backup."""
    found = backup_path(name)
    if found is None:
        raise Http404("there is no such backup")
    delete_backup(found)
    messages.success(request, _("The backup %(name)s was deleted.") % {"name": name})
    return redirect("system-backups")


@administrators_only
@require_http_methods(["GET", "POST"])
def restore(request: HttpRequest, name: str) -> HttpResponse:
    """Show what a backup holds and what restoring it means; do it when it is confirmed."""
    found = backup_path(name)
    if found is None:
        raise Http404("there is no such backup")
    try:
        with Backup(found) as backup:
            manifest = backup.manifest
        form = RestoreForm(manifest.site_name, request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                request_restore(
                    found,
                    passphrase=form.cleaned_data["passphrase"],
                    who=request.user.get_username(),
                    address=client_address(request),
                )
                return redirect("system-backups")
            except BackupRefused as error:
                form.add_error("passphrase", str(error))
    except BackupRefused as error:
        messages.error(request, str(error))
        return redirect("system-backups")
    context = {
        "name": name,
        "manifest": manifest,
        "counts": [(title, manifest.count(model)) for model, title in COUNTED],
        "form": form,
        "charging": Transaction.objects.filter(stopped_at=None).count(),
        "can_restore": can_restore(),
    }
    return admin_page(request, "llm_site/system_restore.html", context, title=_("Restore a backup"))


@administrators_only
@require_GET
def logs(request: HttpRequest) -> FileResponse:  # noqa: ARG001 (Django's interface)
    """Give the logs of all processes as one file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    write_logs(file)
    file.seek(0)
    name = f"llm-logs-{timezone.now():%Y%m%d-%H%M%S}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


urlpatterns = [
    path("", system, name="system"),
    path("backups/", backups, name="system-backups"),
    path("backups/<str:name>/", download, name="system-backup-download"),
    path("backups/<str:name>/delete/", delete, name="system-backup-delete"),
    path("backups/<str:name>/restore/", restore, name="system-restore"),
    path("logs/", logs, name="system-logs"),
]
