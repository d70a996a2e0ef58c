"""What the peers and servers of a run say they are, and where the tests' kubectl is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster.build import programs
from tests.cluster.server import Server
from tests.servers.process import ServerUnavailable


def kubectl() -> Path | None:
    """The kubectl that was built with the tests' cluster, or None when it is not built."""
    try:
        return programs().kubectl
    except ServerUnavailable:
        return None


def of_kubectl(program: Path) -> str:
    """The version of a kubectl, as v1.37.2."""
    argv = [str(program), "version", "--client", "--output=json"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return str(json.loads(said)["clientVersion"]["gitVersion"])


def of_server(server: Server) -> str:
    """The version of an API server, as v1.37.2."""
    with server.connect() as api:
        return str(api.get("/version")["gitVersion"])
