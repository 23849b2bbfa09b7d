"""One running product for the whole table, and the table as it came out."""

import tempfile

import pytest

from tests.certification.certificates import Authority
from tests.certification.installation import SITE
from tests.certification.operator import Operator
from tests.certification.proxied import DIFFERENT
from tests.certification.station import Station
from tests.e2e.product import Product, free_port

LONGEST_REASON = 300
ALONE = "OCPP 1.6 certification cases of a central system"
BEHIND = "The same between a station and an operator"
outcomes = {}


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority whose certificates the product and the stations trust."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def product(authority):
    """The product with the installation of the cases; stations come as they are."""
    certificate, key = authority.sign_server()
    tls = {"LLM_TLS_PORT": str(free_port()), "LLM_TLS_CERT": certificate, "LLM_TLS_KEY": key}
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto", LLM_TLS_CLIENT_CA=authority.root_path, **tls)
        try:
            product.start()
            product.apply(SITE)
            yield product
        finally:
            product.stop()


@pytest.fixture(scope="session")
def token(product):
    """The token of an administrator."""
    return product.token("admin")


@pytest.fixture
def bench(case, product, token, authority):
    """The case's own station, not connected yet, and its operator."""
    tls_url = f"wss://127.0.0.1:{product.environment['LLM_TLS_PORT']}/ocpp"
    station = Station(case.identity, url=product.url, tls_url=tls_url, authority=authority)
    return station, Operator(product, token, station)


def why(report):
    """Say on one line why a case does not pass."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = getattr(report, "wasxfail", "") or (crash.message if crash else str(report.longrepr))
    return " ".join(said.split())[:LONGEST_REASON]


def pytest_runtest_logreport(report):
    """Keep how a case came out."""
    if "test_a_case" in report.nodeid and (report.when == "call" or report.outcome != "passed"):
        table = BEHIND if "operator_behind" in report.nodeid else ALONE
        outcomes.setdefault(table, {})[report.nodeid.partition("[")[2].rstrip("]")] = report


def pytest_terminal_summary(terminalreporter):
    """Print the tables."""
    for table, reports in outcomes.items():
        terminalreporter.section(table)
        for name, report in sorted(reports.items()):
            terminalreporter.line(f"{'passed' if report.passed else 'failed'}  {name}{remark(table, name, report)}")
        passed = sum(report.passed for report in reports.values())
        terminalreporter.line(f"{passed} of {len(reports)} cases pass")


def remark(table, name, report):
    """Say why a case does not pass, or what is another way than without an operator."""
    if not report.passed:
        return f" — {why(report)}"
    number = name.removeprefix("TC_").partition("_CSMS")[0]
    return f" — {DIFFERENT[number][1]}" if table == BEHIND and number in DIFFERENT else ""
