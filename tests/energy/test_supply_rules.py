"""The rules of the supply are one: a form and a site file take and refuse the same settings."""

import itertools

import pytest
from django.core.exceptions import ValidationError

from energy.models import Installation
from energy.supply_rules import SETTINGS_OF, Breach, breaches
from llm_site.site_file.apply import apply_site
from llm_site.site_file.document import SiteFileError

pytestmark = pytest.mark.django_db

AS_DELIVERED = vars(Installation())


@pytest.mark.parametrize(
    ("values", "breach"),
    [
        ({"country": "fr"}, Breach.COUNTRY),
        ({"time_zone": "Mars/Base"}, Breach.TIME_ZONE),
        ({"fuse_a": 63.1}, Breach.DIRECT_FUSE),
        ({"measurement": "ct_1a"}, Breach.CT_PRIMARY_MISSING),
        ({"mode": "static"}, Breach.STATIC_MISSING),
        ({"fuse_a": 40, "static_limit_a": 40.1}, Breach.STATIC_ABOVE_FUSE),
        ({"fuse_a": 6000.1, "measurement": "ct_5a", "ct_ratio_a": 6000}, Breach.FUSE_TOO_LARGE),
        ({"fail_safe_a": 5.9}, Breach.FAIL_SAFE_TOO_SMALL),
        ({"fail_safe_a": 80.1}, Breach.FAIL_SAFE_TOO_LARGE),
    ],
)
def test_each_rule_is_told_by_its_name(values, breach):
    assert breaches(AS_DELIVERED | values) == [breach]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fuse_a": 63},
        {"fuse_a": 6000, "measurement": "ct_5a", "ct_ratio_a": 400},
        {"mode": "static", "static_limit_a": 40, "fuse_a": 40},
        {"mode": "static", "static_limit_a": 0},
        {"fail_safe_a": 0},
        {"fail_safe_a": 6},
        {"fail_safe_a": 80},
    ],
)
def test_settings_at_their_limits_break_nothing(values):
    assert breaches(AS_DELIVERED | values) == []


def test_every_rule_names_a_field_of_the_installation():
    fields = {field.name for field in Installation._meta.get_fields()}
    assert set(SETTINGS_OF) == set(Breach)
    assert {name for names in SETTINGS_OF.values() for name in names} <= fields


def is_taken(values):
    """Say what a form and what a site file does with the same settings."""
    try:
        Installation(**values).full_clean()
        by_form = True
    except ValidationError:
        by_form = False
    given = ", ".join(f"{name}: {'null' if value is None else value}" for name, value in values.items())
    try:
        apply_site(f"installation: {{{given}}}")
        by_file = True
    except SiteFileError:
        by_file = False
    return by_form, by_file


@pytest.mark.parametrize(("name", "most"), [("fuse_a", 6000), ("fail_safe_a", 80)], ids=["fuse", "fail-safe current"])
def test_the_largest_current_is_the_same_for_a_form_and_a_site_file(name, most):
    transformers = {"measurement": "ct_5a", "ct_ratio_a": 6000}
    assert is_taken({**transformers, name: most}) == (True, True)
    assert is_taken({**transformers, name: most + 1}) == (False, False)


def test_a_form_and_a_site_file_agree():
    combinations = itertools.product(
        ["dynamic", "static"], [None, 40, 80], [None, 30, 60], ["direct", "ct_5a"], [None, 200]
    )
    names = ("mode", "fuse_a", "static_limit_a", "measurement", "ct_ratio_a")
    disagreements = []
    for values in combinations:
        given = dict(zip(names, values, strict=True))
        by_form, by_file = is_taken(given)
        if by_form != by_file:
            disagreements.append((given, by_form, by_file))
    assert disagreements == []
