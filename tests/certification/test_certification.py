"""The certification cases of OCPP 1.6 for a central system, one row each.

They are those of the Open Charge Alliance's Compliancy Testing Tool (OCTT), test case document of 2025-11, section 3,
system under test: central system. That document is for members; the 77 numbers are those that EVtivity's published
results of 2026-10 list, and the steps and checks those that the public suites tzi-OCTT and ocpp-rails quote from it.
The words here are our own.
"""

from collections import Counter

import pytest

from tests.certification.core import CORE
from tests.certification.features import FEATURES
from tests.certification.security import SECURITY
from tests.certification.table import Lacking

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
