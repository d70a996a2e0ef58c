"""Which databases the tests use, by variables, and what is said of those that are not there."""

from pathlib import Path

import pytest

from tests import compatibility
from tests.servers import versions
from tests.servers.process import ServerUnavailable
from tests.servers.versions import MYSQL, POSTGRESQL


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(POSTGRESQL, raising=False)
    monkeypatch.delenv(MYSQL, raising=False)


def test_without_a_variable_it_is_what_is_installed() -> None:
    assert versions.postgresql() is None
    assert versions.postgresql_clients() is None
    assert versions.mysql() is None


@pytest.mark.parametrize("variable", [POSTGRESQL, MYSQL])
def test_a_version_without_a_recipe(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "5.1")
    with pytest.raises(ServerUnavailable, match=rf"^{variable}=5\.1: the versions .* are \d"):
        versions.postgresql() if variable == POSTGRESQL else versions.mysql()
    with pytest.raises(ServerUnavailable):
        versions.fetch(pytest.fail)


def test_what_is_not_fetched_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POSTGRESQL, "18")
    monkeypatch.setenv(MYSQL, "9.7")
    for version in (versions.postgresql, versions.mysql):
        with pytest.raises(ServerUnavailable, match=r"not fetched .* `python -m tests\.servers`"):
            version()


def test_a_fetched_one_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(POSTGRESQL, "13")
    jar = versions.POSTGRESQLS["13"]
    made = tmp_path / "agtool" / "servers" / f"postgresql-{jar.version}-{jar.sha256[:12]}"
    made.mkdir(parents=True)
    assert versions.postgresql() == made / "bin"
    versions.fetch_postgresql("13", pytest.fail)


def test_the_tests_are_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert compatibility.counts(report) == "pytest wrote no report"
    report.write_text(
        '<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    assert compatibility.counts(report) == "4 passed, 3 failed, 3 skipped"
