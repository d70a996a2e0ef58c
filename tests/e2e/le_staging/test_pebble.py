"""Chains from a real ACME server (Pebble), got by a real ACME client (certbot)."""

import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import announce, needed
from tests.e2e.conftest import Agtool, Done
from tests.servers import tls
from tests.servers.pebble import Pebble
from tests.servers.process import server_folder


class Issued(NamedTuple):
    """Pebble, and the folder with what certbot got for shop.test and www.shop.test."""

    pebble: Pebble
    live: Path


@pytest.fixture(scope="module")
def issued(pytestconfig: pytest.Config) -> Iterator[Issued]:
    """Give a certificate."""
    announce(pytestconfig, "Pebble and certbot")
    with ExitStack() as stack:
        folder = stack.enter_context(server_folder())
        with needed():
            pebble = stack.enter_context(Pebble(folder / "pebble"))
        yield Issued(pebble, pebble.issue("shop.test", "www.shop.test"))


def serve(live: Path, chain: str) -> tls.Listener:
    """Serve what certbot wrote."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(live / chain, live / "privkey.pem")
    return tls.Listener(tls.https(context))


def curl(bundle: str, connect: str, host: str) -> int:
    """The exit code of the real curl with these roots and no others."""
    empty = Path(bundle).parent / "no-certificates"
    argv = ["curl", "--disable", "--silent", "--noproxy", "*", "--cacert", bundle]
    argv += ["--capath", str(empty), "--connect-to", connect, f"https://{host}/"]
    return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode


def test_from_the_root_to_the_verdict(issued: Issued, agtool: Agtool, tmp_path: Path) -> None:
    pebble, live = issued
    env = {"XDG_DATA_HOME": str(tmp_path), "SSL_CERT_FILE": str(pebble.ca_file)}

    def le_staging(*arguments: str) -> Done:
        return agtool.run("le-staging", *arguments, env=env)

    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pebble.root_pem().decode())).hexdigest()
    wrong = le_staging("fetch", "--url", pebble.root_url, "--fingerprint", "ab" * 32)
    assert wrong.exit_code == 5, wrong.stderr
    assert list(tmp_path.rglob("*.pem")) == []

    colons = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    done = le_staging("fetch", "--url", pebble.root_url, "--fingerprint", f"sha256 {colons}")
    assert done.exit_code == 0, done.stderr
    bundle = done.stdout.strip()
    assert Path(bundle).is_file()

    cases = [
        ("fullchain.pem", "shop.test", "STAGING", []),
        ("fullchain.pem", "www.shop.test", "STAGING", []),
        ("fullchain.pem", "other.test", "FAILED", ["wrong-name"]),
        ("cert.pem", "shop.test", "FAILED", ["incomplete-chain"]),
    ]
    for chain, host, verdict, problems in cases:
        with serve(live, chain) as server:
            connect = f"{host}:443:127.0.0.1:{server.port}"
            done = le_staging("verify", host, "--connect-to", connect, "--output", "json")
            (report,) = data(done)["hosts"]
            assert report["verdict"] == verdict, done.stdout
            assert [problem["code"] for problem in report["problems"]] == problems
            assert done.exit_code == (0 if verdict == "STAGING" else 1)
            assert (curl(bundle, connect, host) == 0) == (verdict == "STAGING")
            if verdict == "STAGING":
                assert report["anchor"]["sha256"] == fingerprint
                assert report["anchor"]["name"].startswith("Pebble Root CA")
                assert report["chain"][0]["subject"] == "shop.test"

    # The printed command is the real thing.
    with serve(live, "fullchain.pem") as server:
        connect = f"shop.test:443:127.0.0.1:{server.port}"
        done = le_staging("curl", "shop.test", "--connect-to", connect)
        real = subprocess.run(
            ["sh", "-c", done.stdout], capture_output=True, text=True, timeout=60, check=False
        )
        assert (real.returncode, real.stdout) == (0, "hello\n"), real.stderr


def data(done: Done) -> Any:
    """The data of a JSON document."""
    return json.loads(done.stdout)["data"]
