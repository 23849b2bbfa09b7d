"""The pages and files of the history."""

from django.urls import path

from exports import import_views, mail_views, summary_views, views

urlpatterns = [
    path("export/", views.export, name="export"),
    path("export/summary/", summary_views.summary, name="summary"),
    path("export/tariff/", summary_views.tariff, name="tariff"),
    path("export/mail/", mail_views.monthly_mail, name="monthly-mail"),
    path("export/import/", import_views.import_file, name="history-import-file"),
    path("export/import/<int:number>/", import_views.history_import, name="history-import"),
    *(
        path(f"export/transactions.{kind}", views.export_file, {"kind": kind}, name=f"export-{kind}")
        for kind in ("csv", "xlsx", "json")
    ),
]
