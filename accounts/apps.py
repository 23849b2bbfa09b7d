from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Users and access")

    def ready(self) -> None:
        """Begin and end sessions with sign-ins and changes of users, and keep every change of users and access.

        What follows from the role, and that somebody signed in, is no change.
        """
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import post_save

        from accounts import audit
        from accounts.models import AccessSettings, User
        from accounts.sessions import begin_session, end_when_password_changed

        user_logged_in.connect(begin_session, dispatch_uid="accounts.begin_session")
        post_save.connect(end_when_password_changed, sender=User, dispatch_uid="accounts.end_when_password_changed")
        audit.listen()
        audit.track(
            User,
            fields=["username", "role", "email", "is_active", "must_change_password"],
            secrets=["password", "api_token_hash"],
            names={
                "api_token_hash": _("API token"),
                "second_factor": _("Second factor"),
                "recovery_codes": _("Recovery codes"),
            },
        )
        audit.track(
            AccessSettings,
            fields=["dashboard_access", "administrators_need_second_factor", "setup_done_at"],
            names={"setup_done_at": _("set-up done")},
        )
