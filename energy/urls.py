from django.urls import path

from energy import actions, views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("history/", views.history_table, name="history-table"),
    path("live/overview", views.live_overview, name="live-overview"),
    path("places/<int:connector_id>/<str:action>/", actions.act, name="place-action"),
    path("live/history", views.live_history, name="live-history"),
]
