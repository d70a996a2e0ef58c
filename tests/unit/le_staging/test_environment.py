"""What `env` sets: an earlier call, and what the person trusts, are not lost."""

from pathlib import Path

import pytest

from agtool.le_staging import environment
from agtool.le_staging.roots import store, trust
from tests.servers.certificates import Issued, root

STAGING, COMPANY = root("Staging Root"), root("Company Root")


@pytest.fixture(params=["data", "a folder's own"])
def data_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """Give a data folder, also one whose name has to be quoted for Java."""
    home = tmp_path / str(request.param)
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home


def variables(now: dict[str, str], issued: Issued = STAGING) -> dict[str, str]:
    """What is set where these variables are set now."""
    fetched = store.Root("Staging Root", "", issued.sha256, issued.der, private=True)
    made = environment.variables([fetched], environment=now)
    return {one.name: one.value for one in made}


def trusted(made: dict[str, str]) -> list[bytes]:
    """What OpenSSL trusts with them."""
    return trust.certificates(Path(made["SSL_CERT_FILE"]).read_bytes())


@pytest.fixture
def company_file(tmp_path: Path) -> str:
    """Give a file with the CA of the company."""
    file = tmp_path / "company.pem"
    file.write_text(COMPANY.pem)
    return str(file)


@pytest.mark.usefixtures("data_home")
def test_a_second_call_in_the_same_shell_changes_nothing(company_file: str) -> None:
    first = variables({"SSL_CERT_FILE": company_file, "JAVA_TOOL_OPTIONS": "-Dx=y"})
    assert {STAGING.der, COMPANY.der} <= set(trusted(first))
    assert variables(first) == first
    assert variables(variables(first)) == first


@pytest.mark.usefixtures("data_home")
def test_another_shell_takes_nothing_from_the_first(company_file: str) -> None:
    first = variables({"SSL_CERT_FILE": company_file})
    before = Path(first["SSL_CERT_FILE"]).read_bytes()
    other = variables({})
    assert COMPANY.der not in trusted(other)
    for made in (first, other):  # npm splits there, and takes each part for a certificate
        assert Path(made["SSL_CERT_FILE"]).read_text().endswith("-----END CERTIFICATE-----\n")
    assert Path(first["SSL_CERT_FILE"]).read_bytes() == before
    # Nor does a shell go on trusting the staging roots of an earlier call.
    renewed = root("Renewed Root")
    later = trusted(variables(first, renewed))
    assert {renewed.der, COMPANY.der} <= set(later)
    assert STAGING.der not in later


@pytest.mark.usefixtures("data_home")
def test_what_java_had_stays_once() -> None:
    theirs = "-Dx=y -Djavax.net.ssl.trustStore=/etc/company.jks"
    first = variables({"JAVA_TOOL_OPTIONS": theirs})
    added = f"{first['JAVA_TOOL_OPTIONS']} -Da=b"
    again = variables({"JAVA_TOOL_OPTIONS": added})["JAVA_TOOL_OPTIONS"]
    assert again.startswith(f"{theirs} -Da=b -Djavax.net.ssl.trustStore=")
    assert again.count("trustStore=") == 2


@pytest.mark.usefixtures("data_home")
@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----x"])
def test_a_file_that_cannot_be_used_adds_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "some.pem"
    if content is not None:
        file.write_bytes(content)
    assert variables({"SSL_CERT_FILE": str(file)}) == variables({})
