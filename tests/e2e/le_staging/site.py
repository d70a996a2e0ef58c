"""A site to verify, and agtool in a data folder of the test's own."""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.conftest import Agtool, Done, clean_environment
from tests.servers import tls
from tests.servers.certificates import Issued

# Let's Encrypt's own server is out of reach for tests.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:1"}
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class Site(NamedTuple):
    """A CA, a good server for shop.test, its certificate, and agtool's environment."""

    ca: Issued
    issuer: Issued
    leaf: Issued
    server: tls.Listener
    env: dict[str, str]
    agtool: Agtool

    @property
    def environment(self) -> dict[str, str]:
        """That of a program which is started without `agtool`."""
        return clean_environment(self.env)

    def le_staging(self, *arguments: str | Path, **more: str) -> Done:
        """Run agtool le-staging to its end."""
        return self.agtool.run("le-staging", *arguments, env={**self.env, **more})

    def fetch(self, *arguments: str) -> Done:
        """Fetch the CA's root from a server of it."""
        with tls.Listener(tls.plain_file(self.ca.pem.encode())) as source:
            url = f"http://127.0.0.1:{source.port}/root.pem"
            return self.le_staging(
                "fetch", "--url", url, "--fingerprint", self.ca.sha256, *arguments
            )

    def to(self, *names: str) -> list[str]:
        """Lead these names to the server."""
        where = f"443:127.0.0.1:{self.server.port}"
        return [word for name in names for word in ("--connect-to", f"{name}:{where}")]


def hosts_of(done: Done) -> list[dict[str, Any]]:
    """The hosts in a JSON document, which is all of stdout."""
    document = json.loads(done.stdout)
    assert document["command"] == "le-staging verify"
    assert document["exit_code"] == done.exit_code
    found: list[dict[str, Any]] = document["data"]["hosts"]
    return found


AGTOOL = (sys.executable, "-m", "agtool")
"""Starts agtool without the fixture."""
