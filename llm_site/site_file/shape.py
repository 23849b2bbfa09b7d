"""What may stand in a site file: its sections, lists and keys, and the readers of their values."""

import dataclasses
import datetime as dt
import json
import math
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import DashboardAccess, Role
from badges.models import AccessRule, BadgeType
from energy.allocation import Timing
from energy.meters.base import MeterError
from energy.meters.modbus import parse_url
from energy.models import Measurement, Mode, SurplusUse
from energy.supply_rules import CT_PRIMARY_A, DERATING_MAXIMUM_PERCENT, FUSE_MAXIMUM_A, UNBALANCE_A
from llm_site.site_file.document import NULL, ListShape, Read, Shape, UnfitError, came, line_of, nearest
from stations.models import MAXIMUM_A, MINIMUM_A, CpoServer, PhaseRotation

# A number as people write it: YAML's other spellings (010 is 8, 1:30 is 90) would surprise them.
NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?")
WHOLE = re.compile(r"[-+]?(0|[1-9]\d*)")
ALL = "all"

_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Unicode categories
_TAG = "tag:yaml.org,2002:"
_NUMBER_TAGS = frozenset({_TAG + "int", _TAG + "float"})
_TEXT_TAGS = _NUMBER_TAGS | {_TAG + "str", _TAG + "timestamp"}


def _unfit(node: yaml.Node, expected: str) -> UnfitError:
    return UnfitError((node, f"expected {expected}, came {came(node)}"))


def _plain_text(node: yaml.Node, expected: str) -> str:
    """Return a scalar as it is written: 0123 stays four digits, though YAML knows it as a number."""
    if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT_TAGS:
        quotes = " (put it in quotes)" if node.tag == _TAG + "bool" else ""
        raise UnfitError((node, f"expected {expected}, came {came(node)}{quotes}"))
    if any(unicodedata.category(character) in _NO_TEXT for character in node.value):
        raise UnfitError((node, f"expected {expected}, came one with a control character or a line break"))
    return str(node.value)


def text(longest: int, *, needed: bool = False) -> Read:
    """Read a text; null is the empty one, unless it is needed."""

    def read(node: yaml.Node) -> str:
        expected = f"text of {1 if needed else 0} to {longest} characters"
        value = "" if node.tag == NULL and not needed else _plain_text(node, expected)
        if len(value) > longest:
            raise UnfitError((node, f"expected {expected}, came {len(value)}"))
        if needed and not value:
            raise _unfit(node, expected)
        return value

    return read


def pattern(expression: str, expected: str) -> Read:
    """Read a text that a regular expression matches as a whole."""
    compiled = re.compile(expression)

    def read(node: yaml.Node) -> str:
        value = _plain_text(node, expected)
        if not compiled.fullmatch(value):
            raise _unfit(node, expected)
        return value

    return read


def reference(kind: str) -> Read:
    """Read the name of another entry; null is none."""
    name = text(255)

    def read(node: yaml.Node) -> str | None:
        try:
            return name(node) or None
        except UnfitError:
            raise _unfit(node, f"the name of {kind} or null") from None

    return read


def secret(*, clearable: bool) -> Read:
    """Read a password or token; null clears it where that makes sense. Its value never enters a message."""
    expected = "a secret text, not empty" + (", or null" if clearable else "")

    def read(node: yaml.Node) -> str | None:
        if node.tag == NULL and clearable:
            return None
        try:
            value = _plain_text(node, expected)
        except UnfitError:
            value = ""
        if not value:
            raise UnfitError((node, f"expected {expected}, came something else"))
        return value

    return read


def number(low: float, high: float = math.inf, *, or_zero: bool = False, optional: bool = False) -> Read:
    """Read a finite number from `low` to `high`; `or_zero`: or 0; `optional`: null is None."""
    expected = f"a number of {low:g} or more" if high == math.inf else f"a number from {low:g} to {high:g}"
    expected += (", or 0" if or_zero else "") + (", or null" if optional else "")

    def read(node: yaml.Node) -> float | None:
        if node.tag == NULL and optional:
            return None
        if node.tag not in _NUMBER_TAGS or not NUMBER.fullmatch(node.value):
            raise _unfit(node, expected)
        value = float(node.value)
        if not math.isfinite(value) or not (low <= value <= high or (or_zero and value == 0)):
            raise _unfit(node, expected)
        return value

    return read


def whole(low: int, high: int) -> Read:
    """Read a whole number from `low` to `high`."""

    def read(node: yaml.Node) -> int:
        is_whole = node.tag == _TAG + "int" and WHOLE.fullmatch(node.value)
        # Length first: a number of a million digits would take its time.
        if not is_whole or len(node.value) > 12 or not low <= int(node.value) <= high:
            raise _unfit(node, f"a whole number from {low} to {high}")
        return int(node.value)

    return read


def duration(name: str) -> Read:
    """Read a time, margin or factor of the controller: a time is more than 0, others may be 0; null is the default."""
    is_time = name.endswith("_s")
    expected = ("a time in seconds of more than 0" if is_time else "a number of 0 or more") + ", or null"

    def read(node: yaml.Node) -> float | None:
        try:
            value: float | None = number(0, optional=True)(node)
        except UnfitError:
            raise _unfit(node, expected) from None
        if is_time and value == 0:
            raise _unfit(node, expected)
        return value

    return read


def flag(node: yaml.Node) -> bool:
    """Read true or false; YAML's other words for them (yes, on) are refused: people mean a name as often."""
    if node.tag != _TAG + "bool" or node.value.lower() not in ("true", "false"):
        raise _unfit(node, "true or false")
    return bool(node.value.lower() == "true")


def choice(names: Iterable[str]) -> Read:
    """Read one of a few names."""
    known = list(names)
    expected = known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"

    def read(node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.value not in known:
            near = nearest(node.value, known) if isinstance(node, yaml.ScalarNode) else ""
            raise UnfitError((node, f"expected {expected}, came {came(node)}{near}"))
        return str(node.value)

    return read


def phases(node: yaml.Node) -> int:
    """Read 1 or 3."""
    if node.tag != _TAG + "int" or node.value not in ("1", "3"):
        raise _unfit(node, "1 or 3")
    return int(node.value)


def line_limits(node: yaml.Node) -> list[float]:
    """Read the amperes of L1, L2 and L3."""
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 3:
        what = f"{len(node.value)} values" if isinstance(node, yaml.SequenceNode) else came(node)
        raise UnfitError((node, f"expected a list of three currents in ampere, for L1, L2 and L3, came {what}"))
    return _each(node, number(0))


def all_or(entry: Read, what: str, fold: Any = str) -> Read:
    """Read the word all, or a list of names without repetition (two spellings with one `fold` are the same)."""

    def read(node: yaml.Node) -> str | list[str]:
        if isinstance(node, yaml.ScalarNode) and node.value == ALL:
            return ALL
        if not isinstance(node, yaml.SequenceNode):
            raise _unfit(node, f"all or a list of {what}")
        names: list[str] = _each(node, entry)
        folded = [fold(name) for name in names]
        again = [item for at, item in enumerate(node.value) if folded[at] in folded[:at]]
        if again:
            raise UnfitError(*((item, f"expected each of the {what} once, came {came(item)} again") for item in again))
        return names

    return read


def _each(node: yaml.SequenceNode, entry: Read) -> list[Any]:
    """Read every item, raising all that is wrong at once."""
    values: list[Any] = []
    problems: list[tuple[yaml.Node, str]] = []
    for item in node.value:
        try:
            values.append(entry(item))
        except UnfitError as unfit:
            problems.extend(unfit.problems)
    if problems:
        raise UnfitError(*problems)
    return values


def e_mail(node: yaml.Node) -> str:
    """Read an e-mail address; null is none."""
    value: str = text(254)(node)
    try:
        if value:
            validate_email(value)
    except ValidationError:
        raise _unfit(node, "an e-mail address") from None
    return value


def date(node: yaml.Node) -> dt.date | None:
    """Read a date (2027-01-30); null is none."""
    if node.tag == NULL:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", node.value if isinstance(node, yaml.ScalarNode) else ""):
            return dt.date.fromisoformat(node.value)
    except ValueError:
        pass  # 30 February
    raise _unfit(node, "a date such as 2027-01-30, or null")


def time_zone(node: yaml.Node) -> str:
    """Read the name of a time zone."""
    value = _plain_text(node, "a time zone such as Europe/Paris")
    known = zoneinfo.available_timezones()
    if value not in known:
        raise UnfitError((node, f'expected a time zone such as Europe/Paris, came "{value}"{nearest(value, known)}'))
    return value


def meter_url(node: yaml.Node) -> str:
    """Read the address of a meter; null is none."""
    value: str = text(200)(node)
    try:
        if value:
            parse_url(value)
    except MeterError as error:
        raise UnfitError((node, str(error))) from None
    return value


def operator_url(node: yaml.Node) -> str:
    """Read the address of an operator's OCPP server (ws or wss)."""
    expected = "an address such as wss://cpo.example.org/ocpp"
    value = str(text(500, needed=True)(node))
    try:
        parts = urlsplit(value)
        is_fit = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_fit = False
    if not is_fit or any(character.isspace() for character in value):
        raise _unfit(node, expected)
    return value


def own_registers(node: yaml.Node) -> Any:
    """Read the register map of a manual meter as the plain data it is; what it must hold is the meter's to say."""
    if node.tag == NULL:
        return None
    if not isinstance(node, yaml.MappingNode):
        raise _unfit(node, "a register map, or null")
    _refuse_repetition(node)
    try:
        return json.loads(json.dumps(yaml.constructor.SafeConstructor().construct_document(node), allow_nan=False))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise UnfitError((node, f"expected a register map of texts and numbers, but {error}")) from None


def _refuse_repetition(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                message = f"expected {key.value} once, came it again (first on line {seen[key.value]})"
                raise UnfitError((key, message))
            if isinstance(key, yaml.ScalarNode):
                seen[key.value] = line_of(key)
            _refuse_repetition(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repetition(item)


identity = pattern(r"\S|\S.{0,253}\S", "an identity of 1 to 255 characters without spaces around it")
id_tag = pattern(r"[\x20-\x7e]{1,20}", "a badge number of 1 to 20 printable ASCII characters (OCPP idTag)")

SECTIONS: dict[str, Shape] = {
    "installation": {
        "name": text(100),
        "country": pattern(r"[A-Z]{2}", "a country of two capital letters, such as FR"),
        "time_zone": time_zone,
        "mode": choice(Mode.values),
        "phases": phases,
        "fuse_a": number(1, FUSE_MAXIMUM_A, optional=True),
        "derating_percent": number(0, DERATING_MAXIMUM_PERCENT),
        "static_limit_a": number(0, optional=True),
        "surplus": choice(SurplusUse.values),
        "fail_safe_a": number(MINIMUM_A, MAXIMUM_A, or_zero=True, optional=True),
        "unbalance_a": number(*UNBALANCE_A, optional=True),
        "measurement": choice(Measurement.values),
        "ct_ratio_a": number(*CT_PRIMARY_A, optional=True),
    },
    "meter": {
        "model": text(50),
        "url": meter_url,
        "unit": whole(0, 255),
        "registers": own_registers,
    },
    "access": {"rule": choice(AccessRule.values), "concurrent_use": flag},
    "dashboard": {"access": choice(DashboardAccess.values)},
    "setup": {"done": flag},
    "timing": {field.name: duration(field.name) for field in dataclasses.fields(Timing)},
}

LISTS: dict[str, ListShape] = {
    "circuits": ListShape(
        "name",
        {"name": text(100, needed=True), "limit_a": line_limits, "parent": reference("a circuit")},
    ),
    "stations": ListShape(
        "identity",
        {
            "identity": identity,
            "name": text(100),
            "phase_rotation": choice(PhaseRotation.values),
            "min_current_a": number(MINIMUM_A, MAXIMUM_A),
            "max_current_a": number(MINIMUM_A, MAXIMUM_A),
            "circuit": reference("a circuit"),
            "priority": whole(-32768, 32767),
            "badges": all_or(id_tag, "badge numbers", str.upper),
            "password": secret(clearable=True),
            "cpo": {"server": reference("an operator server"), "identity": text(255), "enabled": flag},
        },
    ),
    "badges": ListShape(
        "id_tag",
        {
            "id_tag": id_tag,
            "type": choice(BadgeType.values),
            "active": flag,
            "comment": text(200),
            "email": e_mail,
            "expires_on": date,
            "stations": all_or(identity, "station identities"),
        },
        fold=str.upper,
    ),
    "users": ListShape(
        "username",
        {
            "username": pattern(r"[\w.@+-]{1,150}", "a user name of up to 150 letters, digits and @ . + - _"),
            "role": choice(Role.values),
            "password": secret(clearable=False),
            "email": e_mail,
            "token": secret(clearable=True),
        },
    ),
    "cpo_servers": ListShape(
        "name",
        {
            "name": text(100, needed=True),
            "url": operator_url,
            "offline_policy": choice(CpoServer.OfflinePolicy.values),
            "password": secret(clearable=True),
        },
    ),
}
