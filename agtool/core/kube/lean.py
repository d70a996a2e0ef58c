"""The official client without what we do not use of it: start-up is part of the product.

Its package imports all that it has: a second client, informers, and, to read a kubeconfig, the
class that sends requests, with pydantic. That is a quarter of the CPU time until our first request.
Here the package is there without its own __init__, and that class when somebody wants an instance.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any


def lean_client() -> None:
    """Prepare the import of `kubernetes.config`; nothing is done where that has been imported."""
    if "kubernetes" in sys.modules:
        return
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or spec.submodule_search_locations is None:
        return  # the import itself says so
    package = ModuleType("kubernetes", "Without what its __init__ imports.")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    package.__file__ = spec.origin
    sys.modules["kubernetes"] = package
    import kubernetes.client

    if "kubernetes.client.api_client" not in sys.modules:  # before 37 it is imported at once
        kubernetes.client.ApiClient = _api_client  # type: ignore[assignment,misc]


def _api_client(*arguments: Any, **more: Any) -> Any:
    from kubernetes.client.api_client import ApiClient

    return ApiClient(*arguments, **more)
