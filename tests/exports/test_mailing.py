"""The e-mail of each month, over SMTP: sent once, tried again, and shown."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from exports.mailing import BROKEN_OFF, claim_mail, due_months, retry_after, save_recipients, send_again, send_due_mails
from exports.models import ExportSettings, MailState, MonthlyMail
from stations.models import Connector, Transaction
from tests.exports.history import charged, garage
from tests.exports.post_office import PostOffice

pytestmark = pytest.mark.django_db

JANUARY = date(2026, 1, 1)
FIRST_OF_FEBRUARY = datetime(2026, 1, 31, 23, 5, tzinfo=UTC)  # in Paris


@pytest.fixture
def post_office(settings):
    office = PostOffice()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.IS_EMAIL_SET = "127.0.0.1", office.port, True
    yield office
    office.shutdown()
    office.server_close()


@pytest.fixture
def asked_for(time_machine):
    """A garage that has charged in January, whose owner asked for e-mails in that month."""
    timezone.activate(ZoneInfo("Europe/Paris"))
    time_machine.move_to(datetime(2026, 1, 10, tzinfo=UTC), tick=False)
    connector = garage()
    charged(connector, datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 13, tzinfo=UTC), wh=7421)
    charged(connector, FIRST_OF_FEBRUARY, FIRST_OF_FEBRUARY, wh=1)
    save_recipients(mail_to="anna@example.org, luc@example.org", language="fr")
    time_machine.move_to(FIRST_OF_FEBRUARY, tick=False)
    return time_machine


@pytest.mark.usefixtures("asked_for")
def test_a_month_is_sent_once_when_it_is_over(post_office):
    for _turn in range(3):
        send_due_mails()
    (message,) = post_office.taken
    assert message["To"] == "anna@example.org, luc@example.org"
    assert "janvier 2026" in message["Subject"]
    assert "7,421" in message.get_body().get_content()
    first, second = message.iter_attachments()
    assert (first.get_filename(), second.get_filename()) == ("transactions-2026-01.csv", "summary-2026-01.csv")
    assert len(first.get_content().splitlines()) == 2
    mail = MonthlyMail.objects.get()
    assert (mail.month, mail.state, mail.sent_to) == (JANUARY, MailState.SENT, "anna@example.org, luc@example.org")


def test_nothing_is_sent_before_the_month_is_over(post_office, asked_for):
    asked_for.move_to(FIRST_OF_FEBRUARY - timedelta(minutes=6), tick=False)
    send_due_mails()
    assert post_office.taken == []


@pytest.mark.usefixtures("asked_for")
def test_a_month_waits_for_the_car_that_charges_over_its_end(post_office):
    night = charged(Connector.objects.get(), FIRST_OF_FEBRUARY - timedelta(hours=2))
    send_due_mails()
    assert post_office.taken == []
    Transaction.objects.filter(pk=night.pk).update(stopped_at=FIRST_OF_FEBRUARY, meter_stop_wh=40000)
    send_due_mails()
    (message,) = post_office.taken
    assert "47,421" in message.get_body().get_content()


def test_a_session_that_never_ends_keeps_its_month_back_for_three_days(post_office, asked_for):
    charged(Connector.objects.get(), FIRST_OF_FEBRUARY - timedelta(hours=2))
    for days, sent in ((2, 0), (1, 1)):
        asked_for.shift(timedelta(days=days))
        send_due_mails()
        assert len(post_office.taken) == sent


@pytest.mark.usefixtures("asked_for")
def test_nothing_is_sent_to_nobody_or_without_a_server(post_office, settings):
    settings.IS_EMAIL_SET = False
    send_due_mails()
    settings.IS_EMAIL_SET = True
    save_recipients(mail_to="", language="fr")
    send_due_mails()
    assert post_office.taken == []
    assert not MonthlyMail.objects.exists()


def test_a_refused_mail_is_shown_and_tried_again(post_office, asked_for, administrator):
    post_office.refuses = True
    send_due_mails()
    send_due_mails()
    mail = MonthlyMail.objects.get()
    assert (mail.state, mail.tries) == (MailState.FAILED, 1)
    assert mail.retry_at == FIRST_OF_FEBRUARY + timedelta(minutes=10)
    assert "mailbox busy" in administrator.get("/export/mail/").content.decode()
    post_office.refuses = False
    asked_for.shift(timedelta(minutes=10))
    send_due_mails()
    assert len(post_office.taken) == 1
    assert MonthlyMail.objects.get().state == MailState.SENT


@pytest.mark.usefixtures("asked_for")
def test_a_server_that_is_away_is_tried_again(post_office):
    post_office.shutdown()
    post_office.server_close()
    send_due_mails()
    assert MonthlyMail.objects.get().state == MailState.FAILED
    assert post_office.taken == []


def test_what_broke_off_is_left_to_a_person(post_office, asked_for, administrator):
    claim_mail(month=JANUARY, now=timezone.now())
    asked_for.shift(timedelta(minutes=16))
    send_due_mails()
    assert post_office.taken == []
    mail = MonthlyMail.objects.get()
    assert (mail.state, mail.error, mail.retry_at) == (MailState.FAILED, BROKEN_OFF, None)
    assert "it may have arrived" in administrator.get("/export/mail/").content.decode()
    administrator.post("/export/mail/", {"again": str(mail.pk)})
    send_due_mails()
    assert len(post_office.taken) == 1


@pytest.mark.usefixtures("asked_for")
def test_only_one_may_send_a_month():
    assert claim_mail(month=JANUARY, now=timezone.now())
    assert not claim_mail(month=JANUARY, now=timezone.now())


@pytest.mark.usefixtures("asked_for")
def test_a_mail_that_was_sent_is_not_sent_again(post_office):
    send_due_mails()
    send_again(pk=MonthlyMail.objects.get().pk)
    send_due_mails()
    assert len(post_office.taken) == 1


def test_months_missed_while_it_was_off_are_sent_later():
    assert due_months(date(2025, 11, 20), date(2026, 2, 1)) == [date(2025, 11, 1), date(2025, 12, 1), JANUARY]
    assert due_months(date(2026, 2, 1), date(2026, 2, 28)) == []
    assert len(due_months(date(2020, 1, 1), date(2026, 2, 1))) == 12


def test_the_pause_between_tries_grows_to_half_a_day():
    assert [retry_after(tries) for tries in (1, 2, 3, 50)] == [
        timedelta(minutes=10),
        timedelta(minutes=20),
        timedelta(minutes=40),
        timedelta(hours=12),
    ]


def test_who_is_sent_it_is_set_on_its_page(administrator):
    administrator.post("/export/mail/", {"mail_to": "anna@example.org;\nluc@example.org"})
    settings = ExportSettings.get_solo()
    assert settings.mail_to == "anna@example.org, luc@example.org"
    since = settings.mail_since
    administrator.post("/export/mail/", {"mail_to": "luc@example.org"})
    assert ExportSettings.get_solo().mail_since == since


def test_what_is_no_address_is_refused_at_the_field(administrator):
    answer = administrator.post("/export/mail/", {"mail_to": "anna@example.org, luc"})
    assert "“luc” is no e-mail address" in str(answer.context["form"].errors["mail_to"])
    assert ExportSettings.get_solo().mail_to == ""


def test_a_missing_server_is_said(administrator, settings):
    settings.IS_EMAIL_SET = False
    assert "LLM_EMAIL_URL" in administrator.get("/export/mail/").content.decode()
