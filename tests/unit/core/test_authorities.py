"""Where the machine's certificates are found, whatever OpenSSL was made for."""

import ssl
from pathlib import Path

import certifi
import pytest

from agtool.core import authorities


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file that a system has which OpenSSL was not made for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    there = tmp_path / "ca-bundle.pem"
    monkeypatch.setattr(authorities, "FILES", (str(tmp_path / "other.pem"), str(there)))
    return there


def _count(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def test_those_of_another_system_are_found(elsewhere: Path) -> None:
    assert authorities.places() == (None, None)
    assert authorities.file() is None
    assert _count(authorities.context()) == 0
    elsewhere.write_text(Path(certifi.where()).read_text())
    assert authorities.places() == (str(elsewhere), None)
    assert authorities.file() == str(elsewhere)
    assert _count(authorities.context()) > 100


def test_what_openssl_finds_comes_first(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.write_text(Path(certifi.where()).read_text())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert authorities.places() == (None, str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    assert authorities.places() == (certifi.where(), str(tmp_path))
    assert authorities.file() == certifi.where()


def test_an_authority_that_is_named_is_the_only_one(elsewhere: Path, tmp_path: Path) -> None:
    text = Path(certifi.where()).read_text()
    elsewhere.write_text(text)
    one = text[: text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
    (tmp_path / "one.pem").write_text(one)
    assert _count(authorities.context(str(tmp_path / "one.pem"))) == 1
    assert _count(authorities.context(cadata=one)) == 1
