"""The architecture of the node that a pod will run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agtool.core.errors import DeniedError
from agtool.pause import ARCHITECTURES

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

ARCH = "kubernetes.io/arch"
"""The label of nodes with their architecture."""

_USUAL = "linux/amd64"

_SAMPLE = 250
"""Nodes that are looked at."""


def architecture(session: Session, selector: Mapping[str, str], node: str | None) -> str:
    """That of `node`, else the one that most nodes have which the selector matches.

    Whoever may not read nodes gets that of the API server, and who may not read that either, as
    on hardened clusters, amd64: mostly it is the same, and if it is not, the pod is unschedulable
    and says which label it wants.

    Raises:
        NotFoundError: there is no such node.
    """
    if ARCH in selector:
        return selector[ARCH]
    from agtool.core.kube.session import METADATA_LIST, METADATA_ONLY

    try:
        if node is not None:
            found = [session.get(f"/api/v1/nodes/{node}", accept=METADATA_ONLY)]
        else:
            wanted = {"kubernetes.io/os": "linux", **selector}
            query = ",".join(f"{key}={value}" for key, value in wanted.items())
            page = session.get(
                "/api/v1/nodes", accept=METADATA_LIST, limit=_SAMPLE, labelSelector=query
            )
            found = page.get("items") or []
    except DeniedError:
        found = []
    counts = Counter((one["metadata"].get("labels") or {}).get(ARCH) for one in found)
    usual = [name for name, _ in counts.most_common() if name in ARCHITECTURES]
    if usual:
        return str(usual[0])
    try:
        platform = str(session.get("/version").get("platform") or _USUAL)
    except DeniedError:
        platform = _USUAL
    return platform.rpartition("/")[2]
