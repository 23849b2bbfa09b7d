"""Circuits in the admin: a tree with bars, limits under the one they lie in, and what stands in the way of deleting."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from accounts.admin_page import admin_page
from energy.admin.circuit_tree import circuit_tree
from energy.circuits import LINES, lines_above_parent
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
        refusal = gettext("That circuit lies in %(circuit)s itself, or is deleted. Choose another one, or none.")
        shown = circuit.name.replace("%", "%%")  # the field writes what was chosen into its sentence
        choices.error_messages["invalid_choice"] = refusal % {"circuit": shown}
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
    """Parts of the installation with a limit of their own; above their list stands a picture of the tree."""

    form = CircuitForm
    fieldsets = [(None, {"fields": CircuitForm.Meta.fields})]
    list_display = ["name", "parent", "limit_l1_a", "limit_l2_a", "limit_l3_a"]
    list_select_related = ["parent"]
    ordering = ["name"]
    actions = None
    list_before_template = "energy/circuits.html"
    warn_unsaved_form = True

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Draw the tree above the list; htmx asks for the tree alone."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        here = circuit_tree(timezone.now())
        if getattr(request, "htmx", False):
            return render(request, "energy/_circuit_tree.html", here)
        here["warnings"] = [
            f"{circuit}: {_above_parent(circuit, line)}"
            for circuit in Circuit.objects.select_related("parent").order_by("name")
            for line in lines_above_parent(circuit)
        ]
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
