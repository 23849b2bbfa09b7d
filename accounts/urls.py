from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import views
from accounts.language import choose_language

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("password/", views.ChangePassword.as_view(), name="change-password"),
    path("language/", choose_language, name="set_language"),
]
