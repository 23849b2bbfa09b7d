"""Circuits in the admin: a tree with bars, limits under the one they lie in, and what stands in the way of deleting."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from accounts.admin_page import admin_page
from energy.circuits import LINES, Branch, branches, lines_above_parent
from energy.models import Installation
from stations.models import Circuit
from stations.ordering import by_name
from stations.reported_words import in_amperes
from stations.services import ask_to_decide


class CircuitForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A circuit; it can lie in those only that do not lie in it."""

    class Meta:
        model = Circuit
        fields = ["name", "parent", "limit_l1_a", "limit_l2_a", "limit_l3_a"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "parent" not in self.fields:
            return
        circuit, choices = self.instance, cast("forms.ModelChoiceField[Circuit]", self.fields["parent"])
        choices.empty_label = "–"
        if not circuit.pk:
            return
        choices.queryset = Circuit.objects.exclude(pk__in=[circuit.pk, *_inside(circuit)])
        for line in lines_above_parent(circuit):
            self.fields[f"limit_l{line + 1}_a"].help_text = _above_parent(circuit, line)


def _inside(circuit: Circuit) -> list[int]:
    """List what lies in a circuit, however deep (primary keys)."""
    found: list[int] = []
    outer = [circuit.pk]
    while outer:
        outer = list(Circuit.objects.filter(parent__in=outer).exclude(pk__in=found).values_list("pk", flat=True))
        found += outer
    return found


def _above_parent(circuit: Circuit, line: int) -> str:
    """Say that the outer limit counts."""
    text = gettext("Above the %(limit)s A of %(parent)s, in which it lies: those count on %(line)s.")
    assert circuit.parent is not None
    return text % {
        "limit": in_amperes(circuit.parent.limit_a[line]),
        "parent": circuit.parent,
        "line": LINES[line],
    }


@admin.register(Circuit)
class CircuitAdmin(ModelAdmin):  # type: ignore[misc]
    """Parts of the installation with a limit of their own; their list is a picture of the tree."""

    form = CircuitForm
    fieldsets = [(None, {"fields": CircuitForm.Meta.fields})]
    actions = None
    list_before_template = "energy/circuits.html"
    warn_unsaved_form = True

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Draw the tree, each bar against the fuse, or the highest limit where that is more."""
        tree = branches()
        fuse_a = Installation.get_solo().fuse_a
        scale_a = max(fuse_a or 0.0, 1.0, *(limit_a for branch in tree for limit_a in branch.circuit.limit_a))
        here = {"rows": [_row(branch, scale_a) for branch in tree], "fuse_a": fuse_a}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **here})
        return answer

    def save_model(self, request: HttpRequest, obj: Circuit, form: Any, change: bool) -> None:
        """Save, decide again, and say where an outer limit counts instead."""
        super().save_model(request, obj, form, change)
        ask_to_decide()
        for line in lines_above_parent(obj):
            self.message_user(request, _above_parent(obj, line), messages.WARNING)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Delete a circuit that nothing lies in; else say what has to be moved first."""
        circuit = self.get_object(request, object_id)
        if not isinstance(circuit, Circuit):
            raise Http404(f"there is no circuit {object_id!r}")
        if not self.has_delete_permission(request, circuit):
            raise PermissionDenied
        stations = list(circuit.stations.order_by(*by_name()))
        children = list(circuit.children.order_by("name"))
        if request.method == "POST" and not stations and not children:
            try:
                with transaction.atomic():
                    self.log_deletions(request, [circuit])
                    circuit.delete()
                    ask_to_decide()
            except IntegrityError:  # something was laid into it meanwhile: the page says what
                return redirect(request.path)
            text = gettext("The circuit %(circuit)s is deleted.")
            self.message_user(request, text % {"circuit": circuit}, messages.SUCCESS)
            return redirect("admin:stations_circuit_changelist")
        context = {"circuit": circuit, "stations": stations, "children": children}
        title = gettext("Delete the circuit %(circuit)s") % {"circuit": circuit}
        return admin_page(request, "energy/delete_circuit.html", context, title=title, within=self)


def _row(branch: Branch, scale_a: float) -> dict[str, Any]:
    """Lay a branch out for its row: shares are percent of the bar's width."""
    above = lines_above_parent(branch.circuit)
    lines = [
        {
            "name": LINES[line],
            "limit_a": limit_a,
            "drawn_a": branch.drawn_a[line],
            "limit_share": round(100 * limit_a / scale_a, 1),
            "drawn_share": round(min(100.0, 100 * branch.drawn_a[line] / scale_a), 1),
            "warning": _above_parent(branch.circuit, line) if line in above else "",
        }
        for line, limit_a in enumerate(branch.circuit.limit_a)
    ]
    return {"circuit": branch.circuit, "indent": branch.depth * 1.5, "stations": branch.stations, "lines": lines}
