"""What tests see of an API server, whoever started it."""

import re
from functools import cached_property
from pathlib import Path

from tests.cluster.api import Api, Login
from tests.servers.process import find_program


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

    @property
    def kubectl(self) -> Path:
        """A kubectl of about its version. Raises ServerUnavailable."""
        return find_program("kubectl")

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
