from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Users and access")

    def ready(self) -> None:
        """Let every way to sign in begin a session, and every way to save a user end those that must end."""
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import post_save

        from accounts.models import User
        from accounts.sessions import begin_session, end_when_password_changed

        user_logged_in.connect(begin_session, dispatch_uid="accounts.begin_session")
        post_save.connect(end_when_password_changed, sender=User, dispatch_uid="accounts.end_when_password_changed")
