"""The pages of operators: servers, connecting stations, what waits."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.secrets import unseal
from accounts.services import save_user
from stations.cpo import connecting
from stations.cpo.outbox import WAITS_FOR_START
from stations.models import (
    Connector,
    CpoLink,
    CpoMessage,
    CpoServer,
    CpoTransaction,
    LinkState,
    Station,
    Transaction,
)

pytestmark = pytest.mark.django_db

SERVER = {"name": "op", "url": "wss://op.example/ocpp", "offline_policy": "cached", "password": "", "ca_pem": ""}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Keep what would go over the channel layer."""
    monkeypatch.setattr(connecting, "publish", lambda _message: None)


@pytest.fixture
def administrator(client):
    client.force_login(save_user(username="anna", role="administrator"))
    return client


@pytest.fixture
def server():
    return CpoServer.objects.create(name="op", url="ws://op.example")


def add(client, **values):
    return client.post(reverse("admin:stations_cposerver_add"), {**SERVER, **values})


def stations_page():
    return reverse("admin:stations_cposerver_show_stations")


def test_a_server_is_added_and_its_password_sealed_and_never_shown(administrator):
    assert add(administrator, password="operator-key", barred=["Reset"]).status_code == 302
    kept = CpoServer.objects.get()
    assert (unseal(kept.password_sealed), kept.barred) == ("operator-key", ["Reset"])
    address = reverse("admin:stations_cposerver_change", args=[kept.pk])
    assert "operator-key" not in administrator.get(address).content.decode()
    administrator.post(address, {**SERVER, "name": "other"})
    kept.refresh_from_db()
    assert (kept.name, unseal(kept.password_sealed)) == ("other", "operator-key")


@pytest.mark.parametrize(("name", "value"), [
    ("url", "https://op.example"), ("url", "wss://"), ("url", "wss://a:b@op.example"), ("url", "wss://op.example/?x"),
    ("password", "short"), ("ca_pem", "no certificate"), ("barred", ["Nothing"]),
])  # fmt: skip
def test_what_no_server_can_have_is_refused_at_its_field(administrator, name, value):
    answer = add(administrator, **{name: value})
    assert list(answer.context["adminform"].form.errors) == [name]
    assert not CpoServer.objects.exists()


def test_a_station_is_connected_with_its_identity_and_disconnected(administrator, server):
    station = Station.objects.create(identity="CP1", state="configured")
    asked = {f"server_{station.pk}": server.pk, f"identity_{station.pk}": " FR*A ", "connect": station.pk}
    administrator.post(stations_page(), asked)
    station.refresh_from_db()
    assert (station.cpo_server, station.cpo_identity, station.is_cpo_enabled) == (server, "FR*A", True)
    assert CpoLink.objects.get().identity == "FR*A"
    administrator.post(stations_page(), {"disconnect": station.pk})
    station.refresh_from_db()
    assert not station.is_cpo_enabled


def test_one_identity_is_one_station(administrator, server):
    Station.objects.create(
        identity="CP1", state="configured", cpo_server=server, cpo_identity="FR*A", is_cpo_enabled=True
    )
    other = Station.objects.create(identity="CP2", state="configured")
    asked = {f"server_{other.pk}": server.pk, f"identity_{other.pk}": "FR*A", "connect": other.pk}
    page = administrator.post(stations_page(), asked, follow=True).content.decode()
    assert "Another station is connected with this identity." in page
    other.refresh_from_db()
    assert not other.is_cpo_enabled


def linked(server, **values):
    station = Station.objects.create(
        identity="CP1", state="configured", cpo_server=server, cpo_identity="A", is_cpo_enabled=True
    )
    return CpoLink.objects.create(station=station, server=server, identity="A", **values)


def message(link, **values):
    return CpoMessage.objects.create(
        link=link, action="StopTransaction", payload='{"meterStop":5}', queued_at=timezone.now(), **values
    )


def test_the_page_says_how_a_station_stands_and_why(administrator, server):
    link = linked(server, state=LinkState.UNREACHABLE, cause="refused")
    page = administrator.get(stations_page()).content.decode()
    assert "Cannot reach the operator" in page
    assert "Nobody listens there." in page
    message(link)
    message(link, set_aside_at=timezone.now())
    page = administrator.get(stations_page(), headers={"HX-Request": "true"}).content.decode()
    assert "Trying again" in page
    assert "1 message waits" in page
    assert "1 message set aside" in page
    CpoMessage.objects.all().delete()
    CpoLink.objects.update(state=LinkState.ACCEPTED, cause="")
    assert "Accepted by service provider" in administrator.get(stations_page()).content.decode()


@pytest.mark.parametrize(("state", "what_to_do"), [
    (LinkState.PENDING, "Ask the operator when it will."),
    (LinkState.REJECTED, "Ask the operator whether the identity is right."),
])  # fmt: skip
def test_the_page_says_what_it_means_that_an_operator_does_not_accept(administrator, server, state, what_to_do):
    linked(server, state=state)
    page = administrator.get(stations_page()).content.decode()
    assert what_to_do in page
    assert "Who may begin meanwhile: Badges known from before." in page


def test_what_waits_for_a_former_operator_is_shown_at_its_station(administrator, server):
    message(linked(server))
    Station.objects.update(cpo_server=None, is_cpo_enabled=False)
    page = administrator.get(stations_page()).content.decode()
    assert "Not connected" in page
    assert "1 message waits for its former operator" in page


@pytest.mark.parametrize(("error", "words"), [
    ("no answer: closed 1001 going away", "No answer. It closed the connection. (1001 going away)"),
    ("no answer: silent no answer to Heartbeat in 30 s", "No answer. It stopped answering."),
    (WAITS_FOR_START, "Waits for the start of its transaction, which was set aside."),
    ("InternalError: busy", "InternalError: busy"),
])  # fmt: skip
def test_the_last_answer_is_shown_in_words(administrator, server, error, words):
    message(linked(server), set_aside_at=timezone.now(), error=error)
    assert words in administrator.get(reverse("admin:stations_cpomessage_changelist")).content.decode()


@time_machine.travel("2026-01-05T10:00:00Z", tick=False)
def test_a_message_that_is_not_sent_yet_says_when_it_is(administrator, server):
    message(linked(server), next_try_at=timezone.now() + timedelta(minutes=30))
    page = administrator.get(reverse("admin:stations_cpomessage_changelist")).content.decode()
    assert "Waiting until 11:30" in page


def test_what_was_set_aside_is_tried_again_downloaded_and_may_be_deleted_but_not_what_waits(administrator, server):
    link = linked(server)
    aside, waiting = message(link, set_aside_at=timezone.now()), message(link)
    address = reverse("admin:stations_cpomessage_changelist")
    chosen = {"_selected_action": [aside.pk, waiting.pk]}
    lines = administrator.post(address, {**chosen, "action": "download"}).content.splitlines()
    assert [json.loads(line)["payload"] for line in lines] == [{"meterStop": 5}] * 2
    delete = "admin:stations_cpomessage_delete"
    assert administrator.get(reverse(delete, args=[waiting.pk])).status_code == 403
    assert administrator.get(reverse(delete, args=[aside.pk])).status_code == 200
    administrator.post(address, {**chosen, "action": "delete_selected", "post": "yes"})
    assert CpoMessage.objects.count() == 2
    administrator.post(address, {**chosen, "action": "try_again"})
    assert not CpoMessage.objects.exclude(set_aside_at=None).exists()


def test_several_that_were_set_aside_are_deleted_together_after_a_question(administrator, server):
    link = linked(server)
    aside = [message(link, set_aside_at=timezone.now()).pk for _number in range(3)]
    address, asked = reverse("admin:stations_cpomessage_changelist"), {"action": "delete_selected"}
    administrator.post(address, {**asked, "_selected_action": aside[:2]})
    assert CpoMessage.objects.count() == 3
    administrator.post(address, {**asked, "_selected_action": aside[:2], "post": "yes"})
    assert list(CpoMessage.objects.values_list("pk", flat=True)) == aside[2:]


def began_with(link):
    connector = Connector.objects.create(station=link.station, number=1)
    begun = Transaction.objects.create(connector=connector, id_tag="A1", meter_start_wh=0, started_at=timezone.now())
    CpoTransaction.objects.create(transaction=begun, link=link)
    return begun


def test_what_an_operator_was_not_told_is_counted_before_a_station_is_deleted(administrator, server):
    link = linked(server)
    address = reverse("admin:stations_station_delete", args=[link.station_id])
    assert "the operator" not in administrator.get(address).content.decode()
    message(link)
    assert "1 message for an operator" in administrator.get(address).content.decode()
    message(link, set_aside_at=timezone.now())
    assert "2 messages for operators" in administrator.get(address).content.decode()


def test_a_server_that_somebody_depends_on_is_not_deleted(administrator, server):
    link = linked(server)
    address = reverse("admin:stations_cposerver_delete", args=[server.pk])
    assert administrator.get(address).status_code == 403
    Station.objects.update(cpo_server=None, is_cpo_enabled=False)
    message(link)
    assert administrator.get(address).status_code == 403
    CpoMessage.objects.all().delete()
    begun = began_with(link)
    assert administrator.get(address).status_code == 403
    Transaction.objects.filter(pk=begun.pk).update(stopped_at=timezone.now(), meter_stop_wh=5)
    assert administrator.post(address, {"post": "yes"}).status_code == 302
    assert not CpoServer.objects.exists()


def test_the_first_edition_has_no_pages_of_operators(administrator, settings):
    settings.EDITION = "XEM510"
    assert administrator.get(reverse("admin:stations_cposerver_changelist")).status_code == 403
    assert administrator.get(stations_page()).status_code == 403
    assert reverse("admin:stations_cposerver_changelist") not in administrator.get("/").content.decode()
