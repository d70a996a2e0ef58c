"""Nodes that are objects only: thousands, with nobody behind them."""

import itertools
import os
from collections.abc import Mapping

from tests.cluster.api import Object, at_once
from tests.cluster.server import Server

LABEL = "tests.agtool/made-by"

_numbers = itertools.count(1)


class FakeNodes:
    """Makes nodes, from `with` to its end. They stay Ready where no controller looks at them."""

    def __init__(self, server: Server) -> None:
        self._api = server.connect()
        self._made_by = f"{os.getpid()}-{next(_numbers)}"
        self._ready = _ready(*server.version)

    def __enter__(self) -> "FakeNodes":
        return self

    def __exit__(self, *_: object) -> None:
        with self._api:
            self._api.delete("/api/v1/nodes", labelSelector=f"{LABEL}={self._made_by}")

    def make(
        self,
        count: int,
        labels: Mapping[str, str] | None = None,
        taints: list[Object] | None = None,
        prefix: str = "fake",
    ) -> list[str]:
        """Make Ready nodes with these labels, and these taints only; return their names.

        Without `labels` a node has just those that kubelet gives it, and the mark of the tests.
        """
        taints = taints or []
        names = [f"{prefix}-{number:05d}" for number in range(count)]

        def make(name: str) -> None:
            own = {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                LABEL: self._made_by,
            }
            metadata = {"name": name, "labels": {**own, **(labels or {})}}
            node = {"metadata": metadata, "spec": {"taints": list(taints)}, "status": self._ready}
            made = self._api.post("/api/v1/nodes", node)
            if made["spec"].get("taints", []) != taints:
                # Admission has added not-ready, whatever the status says. In a whole cluster a
                # controller takes it away, soon.
                self._api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": taints}})

        at_once(make, names)
        return names


def _ready(major: int, minor: int) -> Object:
    capacity = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {
        "conditions": [condition],
        "capacity": capacity,
        "allocatable": capacity,
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "",
            "containerRuntimeVersion": "containerd://2.4.2",
            "kernelVersion": "6.1.0",
            "kubeProxyVersion": f"v{major}.{minor}.0",
            "kubeletVersion": f"v{major}.{minor}.0",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "systemUUID": "",
        },
    }
