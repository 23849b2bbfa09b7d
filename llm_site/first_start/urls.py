from django.urls import path

from llm_site.first_start import views

urlpatterns = [
    path("first-start/place/", views.place, name="first-start-place"),
    path("first-start/access/", views.access, name="first-start-access"),
    path("first-start/tutorial/", views.tutorial, {"is_last_step": True}, name="first-start-tutorial"),
    path("first-start/skip/", views.skip, name="first-start-skip"),
    path("tutorial/", views.tutorial, name="tutorial"),
]
