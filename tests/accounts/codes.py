"""Codes as an app on a phone makes them."""

import base64
import re
import time

from django_otp.oath import TOTP

from accounts.second_factor import begin_set_up, confirm_set_up


def code_now(key, steps=0):
    """Return the code of a key at this moment, or some steps of 30 s later."""
    totp = TOTP(key)
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def key_on(page):
    """Read the key off the page that sets the second factor up."""
    (text,) = re.findall(r"<code>([A-Z2-7 ]+)</code>", page)
    return base64.b32decode(text.replace(" ", ""))


def switch_on(user):
    """Give a user a second factor; returns its key and the recovery codes."""
    key = begin_set_up(user=user).bin_key
    return key, confirm_set_up(user=user, code=code_now(key, -1))
