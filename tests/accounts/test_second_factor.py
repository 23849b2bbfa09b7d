"""The second factor: codes of an app, recovery codes, and what is kept of them."""

import re
import threading
import time
import xml.etree.ElementTree
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken

from accounts.models import Authenticator
from accounts.second_factor import (
    begin_set_up,
    confirm_set_up,
    count_recovery_codes,
    has_second_factor,
    key_as_text,
    qr_code,
    remove_second_factor,
    renew_recovery_codes,
    use_code,
)
from accounts.services import save_user
from tests.accounts.codes import code_now, switch_on
from tests.accounts.conftest import PASSWORD

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def test_the_codes_are_those_of_rfc_6238():
    with time_machine.travel(datetime.fromtimestamp(1111111109, UTC), tick=False):
        assert code_now(b"12345678901234567890") == "081804"


def test_it_does_not_count_before_a_code_has_confirmed_it(marie):
    key = begin_set_up(user=marie).bin_key
    assert not has_second_factor(marie)
    assert not use_code(user=marie, code=code_now(key))
    assert confirm_set_up(user=marie, code="000000") is None
    assert not has_second_factor(marie)
    assert len(confirm_set_up(user=marie, code=code_now(key))) == 10
    assert has_second_factor(marie)


def test_the_key_stays_while_one_sets_it_up_and_not_longer(marie, clock):
    first = begin_set_up(user=marie).bin_key
    clock.shift(29 * 60)
    assert begin_set_up(user=marie).bin_key == first
    clock.shift(2 * 60)
    assert begin_set_up(user=marie).bin_key != first
    assert Authenticator.objects.count() == 1


def test_a_code_counts_once(marie):
    key, _codes = switch_on(marie)
    code = code_now(key)
    assert use_code(user=marie, code=code)
    assert not use_code(user=marie, code=code)


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(marie, clock, steps, counts):
    key, _codes = switch_on(marie)
    clock.shift(300)
    assert use_code(user=marie, code=code_now(key, steps)) is counts


def test_a_clock_that_is_off_does_not_open_the_window_further(marie, clock):
    key, _codes = switch_on(marie)
    for _ in range(5):
        clock.shift(60)
        assert use_code(user=marie, code=code_now(key, 1))
    clock.shift(60)
    assert not use_code(user=marie, code=code_now(key, 2))


@pytest.mark.parametrize("write", [" {0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]} ", "{0}"])
def test_a_code_may_be_written_with_spaces(marie, write):
    key, _codes = switch_on(marie)
    assert use_code(user=marie, code=write.format(code_now(key)))


@pytest.mark.parametrize("wrong", ["", "abc", "12345", "1234567", "-12345", "١٢٣٤٥٦", "\x00", "00000-00000"])
def test_what_is_no_code_is_refused(marie, wrong):
    switch_on(marie)
    assert not use_code(user=marie, code=wrong)


def test_a_recovery_code_counts_once_however_it_is_written(marie):
    _key, codes = switch_on(marie)
    assert len(set(codes)) == 10
    assert all(re.fullmatch("[A-Z2-9]{5}-[A-Z2-9]{5}", code) for code in codes)
    assert use_code(user=marie, code=f" {codes[0].lower().replace('-', ' ')} ")
    assert not use_code(user=marie, code=codes[0])
    assert count_recovery_codes(marie) == 9


def test_the_recovery_codes_of_one_user_are_not_those_of_another(marie, anna):
    _key, codes = switch_on(marie)
    switch_on(anna)
    assert not use_code(user=anna, code=codes[0])


def test_new_recovery_codes_end_the_old_ones(marie):
    _key, old = switch_on(marie)
    new = renew_recovery_codes(user=marie)
    assert not use_code(user=marie, code=old[0])
    assert use_code(user=marie, code=new[0])


def test_a_removed_second_factor_leaves_nothing(marie):
    key, codes = switch_on(marie)
    remove_second_factor(user=marie)
    assert not has_second_factor(marie)
    assert not use_code(user=marie, code=code_now(key))
    assert not use_code(user=marie, code=codes[0])
    assert not StaticToken.objects.exists()


def test_the_database_alone_gives_away_neither_key_nor_recovery_codes(marie, settings):
    key, codes = switch_on(marie)
    kept = Authenticator.objects.get().key
    assert f"{totp(bytes.fromhex(kept)):06}" != code_now(key)
    tokens = set(StaticToken.objects.values_list("token", flat=True))
    assert not tokens & {code.replace("-", "") for code in codes}
    settings.SECRET_KEY = "that of another installation"
    assert not use_code(user=marie, code=code_now(key))
    assert not use_code(user=marie, code=codes[0])


def test_the_picture_holds_the_key_and_is_drawn_here(marie):
    device = begin_set_up(user=marie)
    drawn = qr_code(device, site="Garage Süd: 2")
    root = xml.etree.ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", drawn)
    assert len(key_as_text(device).replace(" ", "")) == 32


@pytest.mark.django_db(transaction=True)
def test_a_code_sent_many_times_at_once_counts_once():
    with time_machine.travel(time.time(), tick=True):
        user = save_user(username="marie", role="standard", password=PASSWORD)
        key, codes = switch_on(user)
        for code in (code_now(key), codes[0]):
            outcomes = []
            begin = threading.Barrier(6)

            def attempt(code=code, outcomes=outcomes, begin=begin):
                begin.wait()
                try:
                    outcomes.append(use_code(user=user, code=code))
                finally:
                    connection.close()

            threads = [threading.Thread(target=attempt) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(outcomes) == [False] * 5 + [True]
