"""The pages and files of the history."""

from django.urls import path

from exports import views

urlpatterns = [
    path("export/", views.export, name="export"),
    *(
        path(f"export/transactions.{kind}", views.export_file, {"kind": kind}, name=f"export-{kind}")
        for kind in ("csv", "xlsx", "json")
    ),
]
