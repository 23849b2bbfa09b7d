"""Write the site that is there as a site file."""

from collections.abc import Iterable
from typing import Any

import yaml
from django.conf import settings

from accounts.models import User
from llm_site.site_file.document import Entry
from llm_site.site_file.state import MANUAL, read_site

HEAD = f"""\
# A site of the Local Load Manager (version {settings.VERSION}), written by "manage.py site dump".
# Apply it with "manage.py site apply FILE". Passwords and tokens are never written; where a key is left out,
# what is there is kept. Stations that wait for approval are not part of a site file.
"""


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line."""


class _Entries(list[Any]):
    """A list that is written with a line or more for each entry; any other is written on one line."""


class _Dumper(yaml.SafeDumper):
    """YAML with the entries of a list set in under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 (PyYAML's name)
        super().increase_indent(flow, False)


def _represent_mapping(dumper: _Dumper, data: _OneLine) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


def _represent_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    is_block = isinstance(data, _Entries) and bool(data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=not is_block)


def _represent_choice(dumper: _Dumper, data: str) -> yaml.Node:
    return dumper.represent_str(str(data))


_Dumper.add_multi_representer(str, _represent_choice)
_Dumper.add_representer(_OneLine, _represent_mapping)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(_Entries, _represent_list)


def dump_site() -> str:
    """Return the site as YAML; applying it changes nothing."""
    site = read_site()
    inactive = set(User.objects.filter(is_active=False).values_list("username", flat=True))
    lists = site.lists
    stations = [_station(entry) for identity, entry in lists["stations"].items() if identity in site.configured]
    users = [entry for username, entry in lists["users"].items() if username not in inactive]
    content = {
        "installation": _tidied(site.sections["installation"]),
        "meter": _meter(site.sections["meter"]),
        "circuits": _one_per_line(lists["circuits"].values()),
        "stations": _Entries(stations),
        "access": _access(site.sections["access"]),
        "badges": _one_per_line(lists["badges"].values()),
        "users": _one_per_line(users),
        "dashboard": _OneLine(site.sections["dashboard"]),
        "cpo_servers": _one_per_line(lists["cpo_servers"].values()),
        "setup": _OneLine(site.sections["setup"]),
        "timing": _OneLine(_tidied(site.sections["timing"])),
    }
    return HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _access(entry: Entry) -> _OneLine:
    """Describe the access rule; that a badge may charge several cars at once is the rule anyway."""
    return _OneLine({key: value for key, value in entry.items() if (key, value) != ("concurrent_use", True)})


def _meter(entry: Entry) -> Entry:
    """Leave out the register map where the meter is not read by it."""
    tidied: Entry = _tidied({key: value for key, value in entry.items() if key != "registers"})
    return {**tidied, "registers": entry["registers"]} if entry["model"] == MANUAL else tidied


def _station(entry: Entry) -> Entry:
    """Write the operator connection on one line, or null where there is none."""
    cpo = _OneLine(_tidied(entry["cpo"])) if any(entry["cpo"].values()) else None
    return {**_tidied(entry), "cpo": cpo}


def _one_per_line(entries: Iterable[Entry]) -> _Entries:
    return _Entries(_OneLine(_tidied(entry)) for entry in entries)


def _tidied(value: Any) -> Any:
    """Write 32 rather than 32.0, and null for what is empty."""
    if isinstance(value, dict):
        return {key: _tidied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == "" else value
