"""What tests see of an API server, whoever started it."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal

import pytest

from tests.cluster.api import Api, Login

Ability = Literal["ephemeral-containers", "exec-v5", "pod-security"]


class Server:
    """An API server, as its administrator sees it through a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @property
    def url(self) -> str:
        """Where it is."""
        return Login(self.kubeconfig).url

    @property
    def ca(self) -> Path:
        """The file with the certificates by which it is known."""
        return Login(self.kubeconfig).ca

    def connect(self) -> Api:
        """A new session as administrator; close it."""
        return Api(self.kubeconfig)

    @cached_property
    def version(self) -> tuple[int, int]:
        """Its major and minor version; providers write "27+" too."""
        with self.connect() as api:
            said = api.get("/version")
        major, minor = (int(re.sub(r"\D", "", said[part])) for part in ("major", "minor"))
        return major, minor

    @cached_property
    def resources(self) -> set[str]:
        """The resources of the core API, with their subresources ("pods/exec")."""
        with self.connect() as api:
            return {resource["name"] for resource in api.get("/api/v1")["resources"]}

    def supports(self, ability: Ability) -> bool:
        """Whether it can do something that not every version can.

        Discovery tells what has a path; for the rest it is the version that made it the default.
        """
        if ability == "ephemeral-containers":
            return "pods/ephemeralcontainers" in self.resources
        return self.version >= {"exec-v5": (1, 30), "pod-security": (1, 23)}[ability]

    def require(self, ability: Ability) -> None:
        """Skip the test that calls this, with the reason, where that is not supported."""
        if not self.supports(ability):
            major, minor = self.version
            pytest.skip(f"Kubernetes {major}.{minor} at {self.url} does not support {ability}")
