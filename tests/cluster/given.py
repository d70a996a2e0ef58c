"""A cluster that is there already: the tests use it, and leave nothing in it.

A test that needs what it has not, or what is not the tests' to do there, is skipped.
"""

import os
from pathlib import Path

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.images import NAMES, Images
from tests.cluster.server import Server

VARIABLE = "AGTOOL_TEST_KUBECONFIG"


def given() -> "GivenCluster | None":
    """The cluster that AGTOOL_TEST_KUBECONFIG names, if it is set."""
    named = os.environ.get(VARIABLE)
    return GivenCluster(Path(named)) if named else None


class GivenCluster(Server):
    """Somebody's cluster. Its API server belongs to others, so it cannot be stopped."""

    @property
    def node(self) -> str:
        """A node on which a pod can run."""
        with self.connect() as api:
            names = [node["metadata"]["name"] for node in _nodes(api) if _usable(node)]
        if not names:
            pytest.skip(f"{self.url} has no node that is Ready and without taints")
        return str(names[0])

    @property
    def images(self) -> Images:
        """The images, which have to be there."""
        with self.connect() as api:
            there = {
                name
                for node in _nodes(api)
                for image in node["status"].get("images", ())
                for name in image["names"] or ()
            }
        missing = sorted(set(NAMES) - there)
        if missing:
            pytest.skip(
                f"the nodes of {self.url} lack {', '.join(missing)}: "
                "`python -m tests.cluster images FOLDER` makes archives to import there"
            )
        return NAMES

    @property
    def service_account_key(self) -> Path:
        """Skip the test."""
        pytest.skip(f"the keys of {self.url} are not the tests' to use")

    @property
    def outside(self) -> str:
        """Skip the test."""
        pytest.skip(f"what listens here cannot be reached from the pods of {self.url}")

    def load(self, archive: Path) -> None:
        """Skip the test."""
        pytest.skip(f"{archive.name} is not the tests' to import into the nodes of {self.url}")

    def stop_apiserver(self) -> None:
        """Skip the test."""
        pytest.skip(f"the API server at {self.url} is not the tests' to stop")

    start_apiserver = stop_apiserver
    restart_apiserver = stop_apiserver


def _nodes(api: Api) -> list[Object]:
    nodes: list[Object] = api.get("/api/v1/nodes")["items"]
    return nodes


def _usable(node: Object) -> bool:
    ready = {"type": "Ready", "status": "True"}.items()
    conditions = node["status"].get("conditions", ())
    return not node["spec"].get("taints") and any(ready <= each.items() for each in conditions)
