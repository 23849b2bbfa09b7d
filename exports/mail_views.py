"""Who is sent the charging of each month, and what became of those e-mails."""

from typing import Any

from django import forms
from django.conf import settings as site
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.access import role_required
from accounts.admin_page import admin_page
from accounts.models import Role
from exports.mailing import BROKEN_OFF, addresses_in, save_recipients, send_again
from exports.models import ExportSettings, MailState, MonthlyMail

SHOWN = 24


class RecipientsForm(forms.Form):
    """Who is sent the charging of each month."""

    mail_to = forms.CharField(
        label=gettext_lazy("Send each month to"),
        help_text=gettext_lazy("E-mail addresses, separated by commas. Empty: nothing is sent."),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "autocomplete": "off"}),
    )

    def clean_mail_to(self) -> str:
        """Refuse what is no address."""
        addresses = addresses_in(self.cleaned_data["mail_to"].replace("\n", ","))
        for address in addresses:
            try:
                validate_email(address)
            except ValidationError:
                text = _("“%(address)s” is no e-mail address: nothing was saved.")
                raise forms.ValidationError(text % {"address": address}) from None
        return ", ".join(addresses)


@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def monthly_mail(request: HttpRequest) -> HttpResponse:
    """Show and change who is sent the charging of each month; send again what failed."""
    if "again" in request.POST:
        number = request.POST["again"]
        if number.isdecimal() and len(number) < 10:
            send_again(pk=int(number))
            messages.success(request, _("It is sent again within ten minutes."))
        return redirect("monthly-mail")
    settings = ExportSettings.get_solo()
    form = RecipientsForm(request.POST if request.method == "POST" else None, initial={"mail_to": settings.mail_to})
    if request.method == "POST" and form.is_valid():
        save_recipients(mail_to=form.cleaned_data["mail_to"], language=get_language() or "en")
        messages.success(request, _("Saved. It counts from the month that is not over yet."))
        return redirect("monthly-mail")
    context: dict[str, Any] = {
        "form": form,
        "is_email_set": site.IS_EMAIL_SET,
        "mails": MonthlyMail.objects.order_by("-month")[:SHOWN],
        "broken_off": BROKEN_OFF,
        "failed": MailState.FAILED,
    }
    return admin_page(request, "exports/monthly_mail.html", context, title=_("Monthly e-mail"))
