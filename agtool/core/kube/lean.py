"""The official client without what we do not use of it: start-up is part of the product.

Its package imports all that it has: a second client, informers, and, to read a kubeconfig, the
class that sends requests, with pydantic, and two packages for identity providers. That is more
than a third of the CPU time until our first request. Here the packages are there without their own
__init__, and the rest comes when somebody wants it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

_PROVIDERS = ("oauthlib.oauth2", "requests_oauthlib")
"""What speaks to identity providers, in the order in which the second needs the first."""


def lean_client() -> None:
    """Prepare the import of `kubernetes.config`; nothing is done where that has been imported."""
    if "kubernetes" in sys.modules or not _bare("kubernetes"):
        return  # if there is none, the import itself says so
    _bare("kubernetes.utils")
    if sys.modules.keys().isdisjoint(_PROVIDERS):
        for name in _PROVIDERS:
            _put(name, ModuleType(name, "To be imported when a token is renewed."))
        sys.modules["requests_oauthlib"].OAuth2Session = _session  # type: ignore[attr-defined]
    import kubernetes.client

    if "kubernetes.client.api_client" not in sys.modules:  # before 37 it is imported at once
        kubernetes.client.ApiClient = _api_client  # type: ignore[assignment,misc]


def _bare(name: str) -> bool:
    """Put a package there without what its __init__ imports. Returns whether it is installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        return False
    package = ModuleType(name, "Without what its __init__ imports.")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    package.__file__ = spec.origin
    _put(name, package)
    return True


def _put(name: str, module: ModuleType) -> None:
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(importlib.import_module(parent), child, module)


def _session(*arguments: Any, **more: Any) -> Any:
    """The class that renews a token at an identity provider."""
    for name in _PROVIDERS:
        del sys.modules[name]
        importlib.import_module(name)
    from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]

    return OAuth2Session(*arguments, **more)


def _api_client(*arguments: Any, **more: Any) -> Any:
    from kubernetes.client.api_client import ApiClient

    return ApiClient(*arguments, **more)
