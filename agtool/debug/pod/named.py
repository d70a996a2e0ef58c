"""Whether a word that is no program names a pod or a workload, as it does for kubectl debug."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError
from agtool.debug.pod.like import PATHS

if TYPE_CHECKING:
    from agtool.core.kube.session import Session


def hint_for(session: Session, word: str) -> str:
    """What to write instead of `agtool debug WORD`; empty: nothing here has that name."""
    if not re.fullmatch(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?", word):
        return ""
    from agtool.core.kube.session import METADATA_ONLY

    for kind, (group, resource) in PATHS.items():
        path = f"{group}/namespaces/{session.namespace}/{resource}/{word}"
        with suppress(AgtoolError):  # not there, or not to be seen
            session.get(path, accept=METADATA_ONLY)
            return instead(kind, word)
    return ""


def instead(kind: str, name: str) -> str:
    """How to debug an object."""
    if kind == "pod":
        return f"To run in a container beside those of pod {name}: agtool debug --target pod/{name}"
    if kind == "node":
        return f"To run on node {name}: agtool debug --node {name}"
    return (
        f"To run in a new pod like those of {kind} {name}: agtool debug --like {kind}/{name}\n"
        f"To run beside one of its pods: agtool debug --target {kind}/{name}"
    )
