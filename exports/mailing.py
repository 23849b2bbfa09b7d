"""The e-mail of each month with what was charged: sent once; what could not be sent is tried again, and shown."""

import logging
from datetime import date, datetime, timedelta, tzinfo

from django.conf import settings as site
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from energy.models import Installation
from exports.formats import as_csv, write_csv
from exports.models import ExportSettings, MailState, MonthlyMail
from exports.off_peak import tariff
from exports.one_moment import one_moment
from exports.period import month_of, months
from exports.rows import rows_of
from exports.summary import add_up, summary_lines
from stations.models import Transaction

logger = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = timedelta(minutes=10), timedelta(hours=12)
LONGEST_SENDING = timedelta(minutes=15)
MONTHS_AT_MOST = 12
LONGEST_WAIT = timedelta(days=3)
BROKEN_OFF = "broken off"


def addresses_in(text: str) -> list[str]:
    """Split what is entered as addresses."""
    return [address.strip() for address in text.replace(";", ",").split(",") if address.strip()]


def retry_after(tries: int) -> timedelta:
    """Say how long to wait after so many tries that failed: 10 minutes, twice as long each time, 12 hours at most."""
    return min(FIRST_RETRY * (1 << min(tries - 1, 10)), LAST_RETRY)


@transaction.atomic
def save_recipients(*, mail_to: str, language: str) -> None:
    """Set who is sent the charging of each month; the first month is the one that is not over yet."""
    settings = ExportSettings.objects.select_for_update().get(pk=ExportSettings.get_solo().pk)
    if mail_to and not settings.mail_to:
        settings.mail_since = timezone.now()
    settings.mail_to, settings.language = mail_to, language
    settings.save(update_fields=["mail_to", "mail_since", "language"])


def send_due_mails() -> None:
    """Send what is due: the months that have ended since e-mails were asked for, the failed ones again."""
    settings, now = ExportSettings.get_solo(), timezone.now()
    give_up_broken_off(now=now)
    if not (site.IS_EMAIL_SET and settings.mail_to and settings.mail_since):
        return
    zone = timezone.get_current_timezone()
    for month in due_months(settings.mail_since.astimezone(zone).date(), timezone.localdate(now)):
        if not waits_for_cars(month, zone, now=now) and claim_mail(month=month, now=now):
            send_mail(month=month, settings=settings)


def due_months(since: date, today: date) -> list[date]:
    """List the months that have ended since a day, the last year's at most."""
    return [month for month in months(since, today) if month < today.replace(day=1)][-MONTHS_AT_MOST:]


def waits_for_cars(month: date, zone: tzinfo, *, now: datetime) -> bool:
    """Say whether a session of a month still runs, whose energy no e-mail would name; three days on it may be stuck."""
    period = month_of(month, zone)
    begun = Transaction.objects.filter(started_at__gte=period.since, started_at__lt=period.until)
    return now < period.until + LONGEST_WAIT and begun.filter(stopped_at=None).exists()


def give_up_broken_off(*, now: datetime) -> None:
    """Leave to a person what broke off while it was sent: it may have arrived."""
    stuck = MonthlyMail.objects.filter(state=MailState.SENDING, tried_at__lt=now - LONGEST_SENDING)
    stuck.update(state=MailState.FAILED, error=BROKEN_OFF, retry_at=None)


@transaction.atomic
def claim_mail(*, month: date, now: datetime) -> bool:
    """Take it on to send the e-mail of a month; False where it is sent, being sent, or not to be tried yet."""
    _mail, is_new = MonthlyMail.objects.get_or_create(month=month, defaults={"tries": 1, "tried_at": now})
    again = MonthlyMail.objects.filter(month=month, state=MailState.FAILED, retry_at__lte=now)
    return is_new or bool(again.update(state=MailState.SENDING, tries=F("tries") + 1, tried_at=now))


def send_again(*, pk: int) -> None:
    """Have a failed e-mail sent at the next turn, within ten minutes."""
    MonthlyMail.objects.filter(pk=pk, state=MailState.FAILED).update(retry_at=timezone.now())


def send_mail(*, month: date, settings: ExportSettings) -> None:
    """Send the e-mail of a month that was claimed, and keep how that went."""
    claimed = MonthlyMail.objects.filter(month=month, state=MailState.SENDING)
    try:
        with translation.override(settings.language):
            compose(month, settings, timezone.get_current_timezone()).send()
    except Exception as error:  # whatever it was, it is shown, and the next try is due
        logger.exception("The e-mail of %s could not be sent", month)
        retry_at = timezone.now() + retry_after(claimed.values_list("tries", flat=True).get())
        claimed.update(state=MailState.FAILED, error=str(error) or type(error).__name__, retry_at=retry_at)
    else:
        claimed.update(state=MailState.SENT, sent_to=settings.mail_to, error="", retry_at=None)


def compose(month: date, settings: ExportSettings, zone: tzinfo) -> EmailMessage:
    """Write the e-mail of a month, with its transactions and its summary as CSV, both of one moment."""
    period, prices, installation = month_of(month, zone), tariff(), Installation.get_solo()
    with one_moment():
        summed = add_up(period, prices)
        transactions = b"".join(as_csv(rows_of(period), zone))
    words = {
        "site": installation.name or _("Local load manager"),
        "month": date_format(month, "F Y"),
        "sessions": summed.total.sessions,
        "energy": number_format(summed.total.energy_wh / 1000, decimal_pos=3, use_l10n=True),
    }
    message = EmailMessage(
        subject=" ".join((_("%(site)s: charging in %(month)s") % words).split()),
        body=_(
            "Sessions that began in %(month)s at %(site)s: %(sessions)s; energy: %(energy)s kWh.\n\n"
            "Attached are each session, and the sums per badge and per charging station.\n"
            "Administrators change who is sent this under History and export, Monthly e-mail."
        )
        % words,
        to=addresses_in(settings.mail_to),
    )
    for name, content in (("transactions", transactions), ("summary", write_csv(list(summary_lines(summed))))):
        message.attach(f"{name}-{month:%Y-%m}.csv", content, "text/csv")
    return message
