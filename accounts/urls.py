from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import account_views, views
from accounts.language import choose_language

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/code/", views.SignInCode.as_view(), name="sign-in-code"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("password/", views.ChangePassword.as_view(), name="change-password"),
    path("language/", choose_language, name="set_language"),
    path("account/", account_views.account, name="account"),
    path("account/sessions/end/", account_views.end_one_session, name="end-session"),
    path("account/sessions/end-others/", account_views.end_other_sessions, name="end-other-sessions"),
    path("account/second-factor/", account_views.SetUpSecondFactor.as_view(), name="second-factor"),
    path("account/second-factor/codes/", account_views.RenewRecoveryCodes.as_view(), name="renew-codes"),
    path("account/second-factor/off/", account_views.RemoveSecondFactor.as_view(), name="remove-second-factor"),
]
