"""Manifests as the cluster would have them, for whoever looks for runners in a cluster. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.kube.session import Json

_LIST = re.compile(r"/apis/apps/v1(?:/namespaces/(?P<namespace>[^/]+))?/(?P<kind>[a-z]+)$")
_ONE = re.compile(
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<kind>[a-z]+)/(?P<name>[^/]+)$",
)


class Objects:
    """The objects of some manifests; a Reader."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._objects: dict[tuple[str, str, str], Json] = {}

    def add(self, manifest: Json) -> None:
        """Take a manifest in."""
        metadata = manifest.get("metadata") or {}
        namespace = metadata.get("namespace") or self.namespace
        kind = str(manifest["kind"]).lower()
        kind = f"{kind}es" if kind.endswith("class") else f"{kind}s"
        whole = {**manifest, "metadata": {**metadata, "namespace": namespace}}
        whole["metadata"].setdefault("name", "")
        if kind == "secrets" and manifest.get("stringData"):
            whole["data"] = {**(manifest.get("data") or {}), **_encoded(manifest["stringData"])}
        scope = "" if kind == "runtimeclasses" else namespace
        self._objects[kind, scope, str(metadata.get("name", ""))] = whole

    def get(self, path: str) -> Json:
        """An object. Raises NotFoundError, ForbiddenError."""
        found = _ONE.search(path)
        key = (found["kind"], found["namespace"] or "", found["name"]) if found else ("", "", "")
        if key in self._objects:
            return self._objects[key]
        if key[0] == "runtimeclasses":  # it may well be in the cluster
            raise ForbiddenError(f"there is no RuntimeClass {key[2]} in the files")
        raise NotFoundError(f"there is no {key[0].removesuffix('s')} {key[2]} in the files")

    def pages(self, path: str, **_: Any) -> Iterator[Json]:
        """The objects of a collection."""
        found = _LIST.search(path)
        for (kind, namespace, _name), one in self._objects.items():
            if found and kind == found["kind"] and found["namespace"] in (None, namespace):
                yield one

    def rules(self, namespace: str, account: str) -> Iterator[Any]:
        """The rules that bindings in the files give to a service account."""
        for (kind, place, _name), one in self._objects.items():
            if kind not in ("rolebindings", "clusterrolebindings"):
                continue
            subjects = [
                (each.get("kind"), each.get("name"), each.get("namespace") or namespace)
                for each in one.get("subjects") or ()
            ]
            if ("ServiceAccount", account, namespace) in subjects:
                named = one.get("roleRef") or {}
                of_all = named.get("kind") == "ClusterRole"
                key = (f"{named.get('kind')}s".lower(), self.namespace if of_all else place)
                role = self._objects.get((*key, str(named.get("name"))), {})
                yield from role.get("rules") or ()


def _encoded(data: Json) -> Json:
    return {key: base64.b64encode(str(value).encode()).decode() for key, value in data.items()}
