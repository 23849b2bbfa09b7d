"""Who may enter."""

import hmac
from typing import Any, ClassVar

from auditlog.models import LogEntry
from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice
from solo.models import SingletonModel


class Role(models.TextChoices):
    """What a user may do (SPEC S28)."""

    STANDARD = "standard", _("Standard")
    ADVANCED = "advanced", _("Advanced")
    ADMINISTRATOR = "administrator", _("Administrator")


class Users(UserManager["User"]):
    """The users, with Django's own way to make an administrator (`manage.py createsuperuser`)."""

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **values: Any
    ) -> "User":
        """Make an administrator."""
        return super().create_superuser(username, email, password, **{**values, "role": Role.ADMINISTRATOR})


class User(AbstractUser):
    """A person who signs in; the role says what they may do."""

    role = models.CharField(_("profile"), max_length=20, choices=Role, default=Role.STANDARD)
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES, blank=True)
    must_change_password = models.BooleanField(_("must change the password at the next sign-in"), default=False)
    api_token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)

    objects: ClassVar[Users] = Users()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(
                condition=models.Q(is_superuser=False) | models.Q(role=Role.ADMINISTRATOR),
                name="user_superuser_is_administrator",
            ),
        ]


class DashboardAccess(models.TextChoices):
    """Who may see the dashboard (SPEC S5)."""

    PUBLIC = "public", _("Public: anyone on the same network")
    RESTRICTED = "restricted", _("Restricted: users of the load manager only")


class AccessSettings(SingletonModel):
    """How the pages are entered: one row."""

    dashboard_access = models.CharField(
        _("access to the overview"), max_length=10, choices=DashboardAccess, default=DashboardAccess.PUBLIC
    )
    setup_done_at = models.DateTimeField(null=True, blank=True, editable=False)
    administrators_need_second_factor = models.BooleanField(
        _("administrators need a second factor"),
        default=False,
        help_text=_(
            "At the next page an administrator without one is led to set it up, and reaches nothing else until then."
            " Tokens of the REST API go on working."
        ),
    )

    class Meta:
        verbose_name = verbose_name_plural = _("sign-in and overview")
        constraints = [
            models.CheckConstraint(condition=models.Q(dashboard_access__in=DashboardAccess.values), name="access_known")
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name).capitalize()


class Session(AbstractBaseSession):
    """A browser that is signed in; `user` is None before and after (`accounts.sessions` reads and writes these)."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    address = models.CharField(max_length=45)
    agent = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()


class SignInTries(models.Model):
    """How often somebody failed to sign in, under the keyed hash of who and where from (`accounts.tries`)."""

    key = models.CharField(max_length=64, unique=True)
    failures = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField()
    paused_until = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)


class Authenticator(TOTPDevice):  # type: ignore[misc]  # django-otp has no types
    """The app on a phone that makes codes; its key cannot be read from the database alone."""

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """Derive the key that is shared with the app from the kept one and the secret key of this installation."""
        return hmac.digest(b"totp:" + settings.SECRET_KEY.encode(), super().bin_key, "sha1")


class Change(LogEntry):  # type: ignore[misc]
    """An entry of the audit trail (`accounts.audit`): who changed what, when, from what to what."""

    class Meta:
        proxy = True
        verbose_name = _("change")
        verbose_name_plural = _("changes")

    def __str__(self) -> str:
        return str(self.object_repr)
