"""Badges by file, beside their list: import with a preview, the template, export (SPEC S24)."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget

from accounts.addresses import client_address
from accounts.admin_page import admin_page
from badges.csv_files.faults import FileRefused, in_words, shortened
from badges.csv_files.table import COLUMNS, write_table
from badges.csv_files.text import LARGEST_FILE
from badges.csv_resource import EXAMPLE, FIELDS, exported
from badges.import_models import BadgeImport, ImportedRow, ImportState, Outcome
from badges.importing import (
    STALLED_AFTER_S,
    check_again,
    is_stalled,
    start_import,
    start_writing,
    stop_import,
    too_large,
)
from badges.models import Badge, BadgeType

ROWS_A_PAGE = 100
CHIPS = {Outcome.NEW: "success", Outcome.CHANGED: "info", Outcome.WRONG: "danger"}
LABELS = {field.name: capfirst(field.verbose_name) for field in Badge._meta.concrete_fields}
UPLOAD_MORE = 64 * 1024  # bytes of a request beside its file


class FileForm(forms.Form):
    """A file to import."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("Separated by commas, semicolons or tabs, as Excel, LibreOffice and Numbers save it; up to 8 MB."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
        error_messages={"required": _("Choose a file first."), "empty": _("The file is empty. Nothing was changed.")},
    )


class BadgeFiles(ModelAdmin):  # type: ignore[misc]
    """The ways between badges and files."""

    actions_list = ["import_file", "export_file"]

    def has_files_permission(self, request: HttpRequest) -> bool:
        """Say who may import and export: whoever may add and change any badge."""
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def get_urls(self) -> list[URLPattern]:
        """Add the template; the others are where the buttons of the list lead."""
        view = self.admin_site.admin_view(require_GET(self._template))
        return [path("import/template/", view, name="badges_badge_import_template"), *super().get_urls()]

    @csrf_exempt
    @action(description=_("Import a file"), url_path="import", permissions=["files"])  # type: ignore[untyped-decorator]
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """Take a file, show what it means, import it; a file that is too large is refused before it is read.

        Whoever looks for the token that proves a form to be ours reads the whole request: it comes second.
        """
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_FILE + UPLOAD_MORE:
            return self._file_page(request, FileForm(), refused=too_large(), status=413)
        answer: HttpResponse = csrf_protect(self._taken)(request)
        return answer

    @action(description=_("Export to a file"), url_path="export", permissions=["files"])  # type: ignore[untyped-decorator]
    def export_file(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (the library's interface)
        """Give all badges as a file that can be imported again."""
        name = f"llm-badges-{timezone.localdate():%Y-%m-%d}.csv"
        return _file(name, exported(Badge.objects.order_by("id_tag")))

    def _template(self, request: HttpRequest) -> HttpResponse:
        """Give a file with the columns and one example."""
        if not self.has_files_permission(request):
            raise PermissionDenied
        return _file("llm-badges-template.csv", [list(COLUMNS), EXAMPLE])

    def _taken(self, request: HttpRequest) -> HttpResponse:
        if "upload" in request.POST:
            form = FileForm(request.POST, request.FILES)
            if form.is_valid() and _take_file(request, form):
                return redirect(request.path)
            return self._file_page(request, form)
        if request.method == "POST":
            try:
                _obey(request)
                return redirect(request.path)
            except FileRefused as refused:
                return self._file_page(request, FileForm(), refused=refused)
        return self._file_page(request, FileForm())

    def _file_page(
        self, request: HttpRequest, form: FileForm, *, refused: FileRefused | None = None, status: int = 200
    ) -> HttpResponse:
        """Show the form and how far the import is; htmx asks for that alone."""
        context: dict[str, Any] = {
            "form": form,
            "refusal": in_words(refused.fault) if refused else "",
            **_state(request),
        }
        if getattr(request, "htmx", False):
            return render(request, "badges/_import.html", context)
        return admin_page(request, "badges/import.html", context, title=_("Import badges"), within=self, status=status)


def _file(name: str, rows: Any) -> HttpResponse:
    """Write a file as the reader's spreadsheet opens it: with semicolons where decimals have commas."""
    separator = "," if (get_language() or "en").startswith("en") else ";"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(write_table(rows, separator), content_type="text/csv; charset=utf-8", headers=disposition)


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"user": request.user, "address": client_address(request)}


def _take_file(request: HttpRequest, form: FileForm) -> bool:
    """Begin an import; False where the file is refused, which stands at its field then."""
    file = form.cleaned_data["file"]
    try:
        if file.size > LARGEST_FILE:
            raise too_large()
        start_import(file_name=file.name, raw=file.read(), **_who(request))
    except FileRefused as refused:
        form.add_error("file", in_words(refused.fault))
    return form.is_valid()


def _obey(request: HttpRequest) -> None:
    """Do what a button asks of the import that it stood beside. Raises FileRefused."""
    given = request.POST.get("run", "")
    run = int(given) if given.isdecimal() and len(given) <= 9 else 0
    if "stop" in request.POST:
        stop_import(run=run)
    elif "again" in request.POST:
        check_again()
    elif "confirm" in request.POST:
        start_writing(run=run, leaves_out_wrong="leaves_out_wrong" in request.POST, **_who(request))


# --- what the page shows


def _state(request: HttpRequest) -> dict[str, Any]:
    job = BadgeImport.get_solo()
    stalled = is_stalled(job)
    is_under_way = job.state in STALLED_AFTER_S and not stalled
    context = {
        "job": job,
        "is_stalled": stalled,
        "is_under_way": is_under_way,
        "percent": 100 * job.done // job.total if job.total else 0,
        "fault": in_words(job.fault) if job.fault else "",
        "to_import": job.new + job.changed,
    }
    if job.state in (ImportState.CHECKED, ImportState.DONE, ImportState.REFUSED):
        context |= _rows(request, job)
    return context


def _rows(request: HttpRequest, job: BadgeImport) -> dict[str, Any]:
    """Give one page of the rows, those with the outcome that is asked for."""
    shown = request.GET.get("show", "")
    rows = ImportedRow.objects.all()
    if shown in Outcome.values:
        rows = rows.filter(outcome=shown)
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))
    return {
        "shown": shown,
        "tabs": [(outcome, getattr(job, outcome.value)) for outcome in Outcome if getattr(job, outcome.value)],
        "page": page,
        "labels": [LABELS[name] for name in FIELDS.values()],
        "lines": [_line(row) for row in page],
    }


def _line(row: ImportedRow) -> dict[str, Any]:
    """Say what one row means: cells as (label, text, what it was); of a wrong row, what stands in the file."""
    outcome = Outcome(row.outcome)
    cells: list[tuple[Any, str, str | None]]
    if outcome == Outcome.WRONG:
        cells = [(LABELS[name], shortened(row.after.get(column, "")), None) for column, name in FIELDS.items()]
    else:
        cells = [(LABELS[name], _in_words(name, row.after[name]), _before(name, row)) for name in FIELDS.values()]
    notes = [in_words(fault) for fault in [*row.faults, *row.hints]]
    return {"line": row.line, "outcome": outcome, "chip": CHIPS.get(outcome), "cells": cells, "notes": notes}


def _before(name: str, row: ImportedRow) -> str | None:
    return _in_words(name, row.before[name]) if name in row.before else None


def _in_words(name: str, value: str | None) -> str:
    if not value:
        return ""
    if name == "expires_on":
        return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    return str(BadgeType(value).label) if name == "type" else value
