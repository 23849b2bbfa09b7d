"""Import of an old device's history: upload, preview, progress, result."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminFileFieldWidget

from accounts.access import role_required
from accounts.admin_page import admin_page
from accounts.models import Role
from exports.importing import (
    Fate,
    begin_import,
    choose_unit,
    is_stalled,
    keep_file,
    preview,
    stop_import,
    undo_import,
)
from exports.models import HistoryImport, ImportState
from exports.old_file import Flag, NoHistory, Why, decode

LARGEST_FILE = 10 * 2**20
UPLOAD_MORE = 64 * 1024  # bytes of a request beside its file
PAST = 20
FATES = {
    Fate.NEW: gettext_lazy("new"),
    Fate.CHANGED: gettext_lazy("changed"),
    Fate.UNCHANGED: gettext_lazy("here already"),
    Fate.OWN: gettext_lazy("recorded by this load manager itself, left alone"),
    Fate.WRONG: gettext_lazy("left out, see below"),
}
FLAGS = {
    Flag.NOT_ENDED: gettext_lazy("The old device has noted no end: end and energy stay empty."),
    Flag.ENERGY_WRAPPED: gettext_lazy(
        "The energy had fallen below zero, which counts as 4 million kWh: it stays empty."
    ),
    Flag.CLOCK_CHANGE: gettext_lazy("In the night summer time begins or ends: a time may be an hour off."),
}
SHORT_FLAGS = {
    Flag.NOT_ENDED: gettext_lazy("no end noted"),
    Flag.ENERGY_WRAPPED: gettext_lazy("energy below zero"),
    Flag.CLOCK_CHANGE: gettext_lazy("night of the clock change"),
}
REASONS = {
    Why.CELLS: gettext_lazy("The row has fewer than eight cells."),
    Why.NUMBER: gettext_lazy("transactionId is no number."),
    Why.START: gettext_lazy("startDateTransaction is no time like 07/11/2022 11:21."),
    Why.STOP: gettext_lazy("stopDateTransaction is no time like 07/11/2022 11:21."),
    Why.ORDER: gettext_lazy("It ends before it begins."),
    Why.ENERGY: gettext_lazy("energyChargedKwh is no number."),
    Why.TEXT: gettext_lazy("A text is longer than 255 characters."),
}


class UploadForm(forms.Form):
    """The file of an old device."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy("As the old device or this load manager exports it; Excel may have saved it again."),
        widget=UnfoldAdminFileFieldWidget(),
    )

    def clean_file(self) -> Any:
        """Refuse a file that is too large, or no history; give its name and its text."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(too_large())
        try:
            return file.name, decode(file.read())
        except NoHistory:
            raise forms.ValidationError(no_history()) from None


def too_large() -> str:
    """Refuse a file by its size."""
    return _("The file is larger than 10 MB: nothing was imported. Split it by years.")


def no_history() -> str:
    """Say that a file is none, and what it should be."""
    return _(
        "This is no exported history: nothing was imported. A CSV file is needed whose first line names transactionId, "
        "evcsId, evcsName, startDateTransaction, stopDateTransaction, badgeId, badgeName and energyChargedKwh."
    )


@csrf_exempt
@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def import_file(request: HttpRequest) -> HttpResponse:
    """Take in a file, to be looked at first; one that is too large is refused before it is read.

    Whoever looks for the token that proves a form to be ours reads the whole request: it comes second.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_FILE + UPLOAD_MORE:
        return _file_page(request, UploadForm(), refusal=too_large(), status=413)
    answer: HttpResponse = csrf_protect(_taken)(request)
    return answer


def _taken(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        name, text = form.cleaned_data["file"]
        try:
            zone, user = timezone.get_current_timezone(), request.user
            history = keep_file(file_name=name[:200], text=text, zone=zone, user=user)  # type: ignore[arg-type]
            return redirect("history-import", history.pk)
        except NoHistory:
            form.add_error("file", no_history())
    return _file_page(request, form)


def _file_page(request: HttpRequest, form: UploadForm, *, refusal: str = "", status: int = 200) -> HttpResponse:
    """Show the form, and list the imports that were."""
    past = HistoryImport.objects.defer("text").order_by("-pk")[:PAST]
    context = {"form": form, "past": past, "refusal": refusal}
    return admin_page(request, "exports/import_file.html", context, title=_("Import a history"), status=status)


@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def history_import(request: HttpRequest, number: int) -> HttpResponse:
    """Show what an import would do, how far it is or what it did; begin it, stop it, undo it."""
    history = get_object_or_404(HistoryImport.objects.defer("text"), pk=number)
    if request.method == "POST":
        return _obey(request, history)
    context: dict[str, Any] = {"history": history, "is_stalled": is_stalled(history)}
    if getattr(request, "htmx", False):
        return render(request, "exports/import_state.html", context)
    if history.state == ImportState.PREVIEW:
        found = preview(history)
        context |= {
            "fates": [(found.fates[fate], words) for fate, words in FATES.items() if found.fates[fate]],
            "flags": [(found.flags[flag], words) for flag, words in FLAGS.items() if found.flags[flag]],
            "rows": [(row, FATES[fate], [SHORT_FLAGS[flag] for flag in row.flags]) for row, fate in found.rows],
            "wrong": [(line, REASONS[row.why], row.cell) for line, row in found.wrong],
            "to_do": found.fates[Fate.NEW] + found.fates[Fate.CHANGED],
        }
    return admin_page(request, "exports/import.html", context, title=_("Import of %(name)s") % {"name": history})


def _obey(request: HttpRequest, history: HistoryImport) -> HttpResponse:
    """Do what the form asks."""
    if "unit" in request.POST:
        choose_unit(pk=history.pk, is_wh=request.POST["unit"] == "wh")
    elif "begin" in request.POST:
        if not begin_import(pk=history.pk):
            messages.error(request, _("The import could not begin: the broker does not answer. Try again in a minute."))
    elif "stop" in request.POST:
        stop_import(pk=history.pk)
    elif "undo" in request.POST:
        undone = undo_import(pk=history.pk)
        text = ngettext(
            "The import was undone: %(count)d charging session was taken out again.",
            "The import was undone: %(count)d charging sessions were taken out again.",
            undone.taken_out,
        )
        messages.success(request, text % {"count": undone.taken_out})
        if undone.kept:
            text = ngettext(
                "%(count)d charging session stays, as a later import told it too.",
                "%(count)d charging sessions stay, as later imports told them too.",
                undone.kept,
            )
            messages.success(request, text % {"count": undone.kept})
        if undone.given_back:
            text = ngettext(
                "%(count)d charging session that it had changed is as it was before.",
                "%(count)d charging sessions that it had changed are as they were before.",
                undone.given_back,
            )
            messages.success(request, text % {"count": undone.given_back})
        return redirect("history-import-file")
    return redirect(request.path)
