"""A certificate authority that plays staging, and one that plays the public ones."""

from pathlib import Path
from typing import NamedTuple

import pytest

from agtool.le_staging.roots import store
from tests.servers.certificates import Issued, root, to_pem


class Authority(NamedTuple):
    """A root and an intermediate below it."""

    root: Issued
    intermediate: Issued


def authority(name: str) -> Authority:
    """Make one."""
    top = root(f"{name} Root")
    return Authority(top, top.intermediate(f"{name} Intermediate", days=(-1, 1000)))


@pytest.fixture(scope="session")
def staging() -> Authority:
    """Give the authority whose root counts as staging: a private one, as Pebble's would be."""
    return authority("Test Staging")


@pytest.fixture(scope="session")
def public() -> Authority:
    """Give the authority that plays the public ones."""
    return authority("Test Public")


@pytest.fixture(scope="session")
def company() -> Authority:
    """Give the authority that only this machine's store knows."""
    return authority("Test Company")


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, staging: Authority) -> Path:
    """Give a data folder into which the staging root has been fetched."""
    home = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    store.write([as_root(staging.root)])
    return home


def as_root(issued: Issued) -> store.Root:
    """What `fetch --url` would keep of it."""
    name = issued.certificate.subject.rfc4514_string().removeprefix("CN=")
    return store.Root(name, "https://ca.test/root.pem", issued.sha256, issued.der, private=True)


@pytest.fixture
def public_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public: Authority, company: Authority
) -> None:
    """Put the tests' public root into Mozilla's list, and the company's into the machine's store.

    certifi is asked where its file is, as a distribution that has a file of its own does.
    """
    mozilla, machine = tmp_path / "mozilla.pem", tmp_path / "machine.pem"
    mozilla.write_text(to_pem(public.root.certificate))
    machine.write_text(to_pem(public.root.certificate, company.root.certificate))
    monkeypatch.setattr("certifi.where", lambda: str(mozilla))
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
