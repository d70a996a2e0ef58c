"""From what runners are read: a cluster, or manifests that would be one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from agtool.core.kube.session import Json


class Reader(Protocol):
    """What finding a runner needs of a session.

    Attributes:
        namespace: of what says none.
    """

    namespace: str

    def get(self, path: str) -> Json:
        """An object. Raises NotFoundError, ForbiddenError."""

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """The objects of a collection. Raises ForbiddenError."""
