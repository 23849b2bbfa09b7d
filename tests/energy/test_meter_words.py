"""What the reader of meters says in English is shown in the language of who reads it."""

import socket

import pytest
from django.utils import translation

from energy.meter_notes import NOTES, REFUSALS
from energy.meter_words import meter_words
from energy.meters.base import Block, MeterError
from energy.meters.decode import decode, load_maps
from energy.meters.modbus import ModbusLine
from tests.energy.meters.device import Server, running_loop


@pytest.fixture
def away(unused_tcp_port):
    """A port where nobody listens."""
    return unused_tcp_port


@pytest.fixture
def silent():
    """A host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def refusing():
    """A meter without registers."""
    with running_loop() as loop:
        server = Server(loop, {})
        yield server.port
        server.stop()


def error_of(port):
    line = ModbusLine(f"tcp://127.0.0.1:{port}", timeout_s=0.05)
    with pytest.raises(MeterError) as caught:
        line.fetch(1, Block(4, 0, 2))
    line.close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("away", "aucune connexion en 0.05 s"), ("silent", "aucune réponse en 0.05 s"), ("refusing", "refuse la lecture")],
)
def test_what_is_wrong_with_the_connection_is_said_in_the_language(request, fault, words):
    error = error_of(request.getfixturevalue(fault))
    assert meter_words(error) != error
    with translation.override("fr"):
        assert words in meter_words(error)


def test_a_current_that_cannot_be_is_said_in_the_language():
    with pytest.raises(MeterError) as caught:
        decode(load_maps()["eastron_sdm630"], {}, ct_ratio=1.0)
    with translation.override("fr"):
        assert meter_words(str(caught.value)).startswith("Le courant lu sur L1 est impossible")


def test_every_note_and_refusal_of_the_maps_is_known():
    maps = load_maps().values()
    assert {found.refusal for found in maps if found.refusal} == set(REFUSALS)
    assert {note for found in maps for note in (found.description, *found.remarks)} == set(NOTES)
    with translation.override("de"):
        assert all(meter_words(said) != said for said in (*NOTES[:2], *REFUSALS))


def test_what_is_not_known_stays():
    assert meter_words("") == ""
    assert meter_words("something else") == "something else"
