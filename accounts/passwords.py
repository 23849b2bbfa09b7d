"""The five password rules (SPEC S3)."""

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.utils.functional import Promise as StrPromise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

RULES: tuple[tuple[StrPromise, Callable[[str], bool]], ...] = (
    (gettext_lazy("one capital letter"), lambda text: any(map(str.isupper, text))),
    (gettext_lazy("one small letter"), lambda text: any(map(str.islower, text))),
    (gettext_lazy("one digit"), lambda text: any(map(str.isdigit, text))),
    (gettext_lazy("eight characters"), lambda text: len(text) >= 8),
    (gettext_lazy("one symbol"), lambda text: any(not c.isalnum() and not c.isspace() for c in text)),
)


class FiveRules:
    """Django password validator: capital, small letter, digit, eight characters, symbol."""

    def validate(self, password: str, user: object = None) -> None:  # noqa: ARG002 (Django's interface)
        """Raise ValidationError with every rule that is not met."""
        missing = [str(rule) for rule, holds in RULES if not holds(password)]
        if missing:
            raise ValidationError(_("The password still needs: %(rules)s.") % {"rules": ", ".join(missing)})

    def get_help_text(self) -> str:
        """Return the rules in one sentence."""
        return _("At least: %(rules)s.") % {"rules": ", ".join(str(rule) for rule, _holds in RULES)}
