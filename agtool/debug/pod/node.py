"""What speaks against running something on a node that was named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError, DeniedError

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session


def hindrance(session: Session, name: str) -> str:
    """Why a pod may have to wait on a node, for people; empty: nothing that we may see.

    Raises:
        NotFoundError: there is no such node.
        ConfigurationError: nothing of ours can run there.
    """
    try:
        return judge_node(session.get(f"/api/v1/nodes/{name}"))
    except DeniedError:
        return ""


def judge_node(node: Json) -> str:
    """The same of the node's object."""
    name = node["metadata"]["name"]
    status = node.get("status") or {}
    labels = node["metadata"].get("labels") or {}
    system = labels.get("kubernetes.io/os") or (status.get("nodeInfo") or {}).get("operatingSystem")
    if system and system != "linux":
        raise ConfigurationError(
            f"node {name} runs {system}, and agtool debug runs Linux programs",
            hint="Choose a node with the label kubernetes.io/os=linux.",
        )
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    if ready.get("status") == "True":
        return ""
    why = " ".join((ready.get("message") or "its kubelet has not reported").split())
    since = ready.get("lastTransitionTime")
    return f"node {name} is not ready" + (f" since {since}" if since else "") + f": {why}"
