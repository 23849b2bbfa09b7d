"""The certification cases of OCPP 1.6 for a central system, one row each.

They are those of the Open Charge Alliance's Compliancy Testing Tool (OCTT), test case document of 2025-11, section 3,
system under test: central system. That document is for members; the 77 numbers are those that EVtivity's published
results of 2026-10 list, and the steps and checks those that the public suites tzi-OCTT and ocpp-rails quote from it.
The words here are our own.
"""

import asyncio
from collections import Counter

import pytest

from tests.certification.between import play_all
from tests.certification.core import CORE
from tests.certification.features import FEATURES
from tests.certification.proxied import DIFFERENT, PROXIED
from tests.certification.security import SECURITY
from tests.certification.table import Lacking
from tests.e2e.foreign import install, needs_npm

pytestmark = pytest.mark.e2e

CASES = [*CORE, *FEATURES, *SECURITY]


def row(case):
    marks = [pytest.mark.xfail(reason=case.why, raises=Lacking, strict=True)] if case.why else []
    return pytest.param(case, id=str(case), marks=marks)


@pytest.mark.parametrize("case", [row(case) for case in CASES])
async def test_a_case(case, bench):
    station, operator = bench
    try:
        await case.play(station, operator)
    finally:
        await station.leave()


def test_the_table_has_one_row_for_each_of_the_77_cases():
    assert max(Counter(case.number for case in CASES).values()) == 1
    assert len(CASES) == 77
    assert sum(not case.why for case in CASES) >= 75


@pytest.fixture(scope="module")
def came_to(request, product, token, authority):
    """What each case came to with an operator behind the load manager, by number: None, or what went wrong."""
    install()
    items = [item for item in request.session.items if item.originalname == "test_a_case_with_an_operator_behind"]
    cases = [item.callspec.params["case"] for item in items]
    results = asyncio.run(play_all(cases, product, token, authority))
    return {case.number: result for case, result in zip(cases, results, strict=True)}


@needs_npm
@pytest.mark.parametrize("case", PROXIED, ids=str)
def test_a_case_with_an_operator_behind(case, came_to):
    if came_to[case.number] is not None:
        raise came_to[case.number]


def test_every_case_that_reaches_an_operator_is_played_and_every_difference_is_of_one():
    assert len(PROXIED) == 65
    assert DIFFERENT.keys() <= {case.number for case in PROXIED}
