"""The forms of the system pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from llm_site.system.archive import BackupRefused, check_passphrase


def _passphrase(label: Any, help_text: Any = "") -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, help_text=help_text, max_length=500, strip=False, widget=widget)


class BackupForm(forms.Form):
    """The passphrase of a new backup, twice."""

    passphrase = _passphrase(
        _("Passphrase"),
        _("At least 10 characters. It is needed to restore the backup and is kept nowhere: note it down."),
    )
    again = _passphrase(_("Passphrase again"))

    def clean_passphrase(self) -> str:
        """Refuse one that could be guessed."""
        given: str = self.cleaned_data["passphrase"]
        try:
            check_passphrase(given)
        except BackupRefused as error:
            raise forms.ValidationError(str(error)) from None
        return given

    def clean(self) -> dict[str, Any]:
        """Refuse two that differ."""
        cleaned = super().clean() or {}
        if "passphrase" in cleaned and cleaned.get("again") not in (None, cleaned["passphrase"]):
            self.add_error("again", _("The two passphrases differ."))
        return cleaned


class UploadForm(forms.Form):
    """A backup from elsewhere."""

    file = forms.FileField(label=_("Backup file"), widget=UnfoldAdminFileFieldWidget())


class RestoreForm(forms.Form):
    """What is asked before everything is replaced."""

    passphrase = _passphrase(_("Passphrase of the backup"))
    site_name = forms.CharField(
        label=_("Name of the site in the backup"),
        help_text=_("Type it to confirm."),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, site_name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.expected = site_name

    def clean_site_name(self) -> str:
        """Refuse another name than the one in the backup."""
        given: str = self.cleaned_data["site_name"]
        if given.strip() != self.expected:
            raise forms.ValidationError(_("This is not the name of the site in the backup. Nothing was changed."))
        return given
